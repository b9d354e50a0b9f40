import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { emptySession } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { aCall, Cable, Chain, isLive } from './chain.ts';

const chain = new Chain();
afterEach(() => chain.close());

/** Its feed stops where it is told to; calls go on. */
function halting(target: Upstream): { readonly upstream: Upstream; halt(): void } {
  let halted = false;
  const upstream = new Proxy(target, {
    get: (node, name: keyof Upstream) => {
      if (name !== 'follow') return (node[name] as (...args: unknown[]) => unknown).bind(node);
      return async function* (...args: Parameters<Upstream['follow']>) {
        for await (const event of node.follow(...args)) {
          if (halted) await once(args[2], 'abort');
          yield event;
        }
      };
    },
  });
  return {
    upstream,
    halt: () => {
      halted = true;
    },
  };
}

it('a name means what a session made it mean, at an edge whose feed has not brought that', async () => {
  const origin = await chain.origin('o');
  const { id: before } = (await origin.create('books', aCall())).namespace;
  const feed = halting(origin);
  const edge = await chain.edge('e', [feed.upstream]);
  await isLive(edge);
  expect((await edge.find('books', aCall())).id).toBe(before);
  feed.halt();
  await edge.remove('books', aCall());
  const { namespace, session } = await edge.create('books', aCall());
  expect((await edge.find('books', aCall())).id).toBe(before);
  expect((await edge.find('books', aCall(), session)).id).toBe(namespace.id);
});

it('an origin that does not cover the session says so: what it does not know may be there', async () => {
  const origin = await chain.origin('o');
  const { session } = await origin.create('books', aCall());
  const ahead = new Map([...session.vector].map(([id, sequence]) => [id, sequence + 5] as const));
  const cable = new Cable(origin);
  const edge = await chain.edge('e', [cable.upstream]);
  const asked = edge.find('films', aCall(50), { ...emptySession, vector: ahead });
  await expect(asked).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'session-not-covered' } });
});
