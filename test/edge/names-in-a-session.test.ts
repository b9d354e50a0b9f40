import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { emptySession, joinSessions } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { aCall, Cable, Chain, get, isLive, put, textOf } from './chain.ts';

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

it.each([
  ['cache', []],
  ['copy', ['*']],
])('by a title that its session moved, a %s answers nothing from what it holds', async (_, replicate) => {
  const origin = await chain.origin('o');
  const { id } = (await origin.create('books', aCall())).namespace;
  await put(origin, 'k', 'of the first', 'books');
  const feed = halting(origin);
  const edge = await chain.edge('e', [feed.upstream], { replicate });
  await isLive(edge);
  await get(edge, 'k', { namespace: 'books' });
  feed.halt();
  let session = (await edge.rename('books', 'archive', aCall())).session;
  session = joinSessions(session, (await edge.create('books', aCall())).session);
  const mutations = [{ kind: 'put', key: 'k', value: Buffer.from('of the archive') }] as const;
  session = joinSessions(session, (await edge.write({ namespace: id, mutations, session }, aCall())).session);
  expect(textOf(await edge.get({ namespace: 'books', key: 'k', session }, aCall()))).toBe(undefined);
  expect(textOf(await edge.get({ namespace: id, key: 'k', session }, aCall()))).toBe('of the archive');
});

it.each([
  ['cache', []],
  ['copy', ['*']],
])(
  'by a title that an upstream said the meaning of, a %s answers what its session wrote, ahead of its feed',
  async (_, replicate) => {
    const origin = await chain.origin('o');
    await origin.create('books', aCall());
    await put(origin, 'k', 'before', 'books');
    const feed = halting(origin);
    const edge = await chain.edge('e', [feed.upstream], { replicate });
    await isLive(edge);
    await get(edge, 'k', { namespace: 'books' });
    feed.halt();
    const mutations = [{ kind: 'put', key: 'k', value: Buffer.from('after') }] as const;
    const { session } = await edge.write({ namespace: 'books', mutations, session: emptySession }, aCall());
    const answer = await edge.get({ namespace: 'books', key: 'k', session }, aCall());
    expect([textOf(answer), answer.source]).toEqual(['after', replicate.length === 0 ? 'cache' : 'copy']);
  },
);

it('an origin that does not cover the session says so: what it does not know may be there', async () => {
  const origin = await chain.origin('o');
  const { session } = await origin.create('books', aCall());
  const ahead = new Map([...session.vector].map(([id, sequence]) => [id, sequence + 5] as const));
  const cable = new Cable(origin);
  const edge = await chain.edge('e', [cable.upstream]);
  const asked = edge.find('films', aCall(50), { ...emptySession, vector: ahead });
  await expect(asked).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'session-not-covered' } });
});
