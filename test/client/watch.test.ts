import { describe, expect, test } from 'vitest';
import type { Change } from '../../src/client/change.ts';
import { LocalNode } from '../../src/client/local-node.ts';
import type { WatchEvent } from '../../src/client/watch-event.ts';
import { MeridianError } from '../../src/model/errors.ts';
import { emptySession } from '../../src/model/session.ts';
import { makeStamp } from '../../src/model/stamp.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { fakeCluster } from './fake-cluster.ts';
import { FakeNode, fakeLog } from './fake-node.ts';

const lost = new MeridianError('UNAVAILABLE', 'connection lost', { reason: 'connection-lost' });

function put(key: string, sequence: number, cursor?: string): WatchEvent {
  const stamp = makeStamp({ wallMs: sequence, counter: 0, log: fakeLog });
  const position = { log: fakeLog, sequence };
  return { kind: 'put', key, value: Buffer.from(key), stamp, position, ...(cursor === undefined ? {} : { cursor }) };
}

async function take(changes: AsyncIterable<Change>, count: number): Promise<string[]> {
  const seen: string[] = [];
  for await (const change of changes) {
    seen.push('key' in change ? `${change.kind} ${change.key}` : change.kind);
    if (seen.length === count) break;
  }
  return seen;
}

describe('watching', () => {
  test('a broken watch goes on behind the last cursor, at the next endpoint', async () => {
    const nodes = [new FakeNode(), new FakeNode()] as const;
    nodes[0].watchScripts = [[put('a', 1, 'c1'), put('b', 2), lost]];
    nodes[1].watchScripts = [[put('b', 2, 'c2'), put('c', 3, 'c3')]];
    const flags = fakeCluster(nodes).cluster.namespace('flags');
    expect(await take(flags.watch({ prefix: 'p' }), 4)).toEqual(['put a', 'put b', 'put b', 'put c']);
    expect(nodes[0].watches[0]).toEqual({ namespace: 'flags', prefix: 'p', fromStart: false, session: emptySession });
    expect(nodes[1].watches[0]).toMatchObject({ cursor: 'c1' });
  });

  test('a stream that ends without an error is opened again', async () => {
    const { cluster, node } = fakeCluster();
    node.watchScripts = [[put('a', 1, 'c1')], [put('b', 2, 'c2')]];
    expect(await take(cluster.namespace('flags').watch(), 2)).toEqual(['put a', 'put b']);
    expect(node.watches.map(({ cursor }) => cursor)).toEqual([undefined, 'c1']);
  });

  test('one that broke off before there was a cursor says that everything comes anew', async () => {
    const nodes = [new FakeNode(), new FakeNode()] as const;
    nodes[0].watchScripts = [[put('a', 2), lost]];
    nodes[1].watchScripts = [[put('a', 1), { kind: 'caught-up', cursor: 'c1' }, lost]];
    const flags = fakeCluster(nodes).cluster.namespace('flags');
    const changes = flags.watch({ fromStart: true });
    expect(await take(changes, 4)).toEqual(['put a', 'reset', 'put a', 'caught-up']);
  });

  test('one from now that was told something and given no cursor begins anew: it does not know what it missed', async () => {
    const nodes = [new FakeNode(), new FakeNode()] as const;
    nodes[0].watchScripts = [[put('a', 2), lost]];
    nodes[1].watchScripts = [[put('b', 1), { kind: 'caught-up', cursor: 'c1' }]];
    const flags = fakeCluster(nodes).cluster.namespace('flags');
    expect(await take(flags.watch(), 4)).toEqual(['put a', 'reset', 'put b', 'caught-up']);
    expect(nodes[1].watches[0]).toMatchObject({ fromStart: true });
  });

  test('an empty cursor and null are none, and null is no signal and no prefix', async () => {
    for (const none of ['', null] as unknown as string[]) {
      const { cluster, node } = fakeCluster();
      node.watchScripts = [[put('a', 1), lost], [put('a', 1, 'c1')]];
      const signal = null as unknown as AbortSignal;
      const changes = cluster.namespace('flags').watch({ since: none, prefix: none, signal });
      expect(await take(changes, 3)).toEqual(['put a', 'reset', 'put a']);
      expect(node.watches).toMatchObject([{ prefix: '', fromStart: false }, { fromStart: true }]);
      expect(node.watches.map(({ cursor }) => cursor)).toEqual([undefined, undefined]);
    }
  });

  test('a cursor that comes alone is gone on from, and told to nobody', async () => {
    const { cluster, node } = fakeCluster();
    node.watchScripts = [
      [{ kind: 'caught-up', cursor: 'c1' }, { kind: 'progress', cursor: 'c2' }, lost],
      [put('a', 3)],
    ];
    expect(await take(cluster.namespace('flags').watch(), 2)).toEqual(['caught-up', 'put a']);
    expect(node.watches.map(({ cursor }) => cursor)).toEqual([undefined, 'c2']);
  });

  test('it names what this client did to namespaces, and nothing else', async () => {
    const { cluster, node } = fakeCluster();
    node.watchScripts = [[put('a', 1, 'c1')], [put('b', 2)], [put('c', 3)]];
    await cluster.namespaces.create('flags');
    await take(cluster.namespace('flags').watch(), 3);
    expect(node.watches.map(({ session }) => session?.vector)).toEqual(Array(3).fill(new Map([[fakeLog, 99]])));
  });

  test('it begins behind the cursor that it is given, and tells resets', async () => {
    const { cluster, node } = fakeCluster();
    node.watchScripts = [[{ kind: 'reset' }, put('a', 1), { kind: 'caught-up', cursor: 'c' }]];
    expect(await take(cluster.namespace('flags').watch({ since: 's' }), 3)).toEqual(['reset', 'put a', 'caught-up']);
    expect(node.watches[0]?.cursor).toBe('s');
  });

  test('a reset voids the cursor that it was given: what follows is not gone behind at another node', async () => {
    const nodes = [new FakeNode(), new FakeNode()] as const;
    nodes[0].watchScripts = [[{ kind: 'reset' }, put('a', 1), lost]];
    nodes[1].watchScripts = [[put('a', 1), { kind: 'caught-up', cursor: 'c1' }]];
    const flags = fakeCluster(nodes).cluster.namespace('flags');
    const seen = await take(flags.watch({ since: 's' }), 5);
    expect(seen).toEqual(['reset', 'put a', 'reset', 'put a', 'caught-up']);
    expect(nodes[1].watches[0]).toEqual({ namespace: 'flags', prefix: '', fromStart: true, session: emptySession });
  });

  test('what no retry mends is thrown', async () => {
    const { cluster, node } = fakeCluster();
    node.watchScripts = [[new MeridianError('NOT_FOUND', 'no such namespace', { reason: 'unknown-namespace' })]];
    await expect(take(cluster.namespace('flags').watch(), 1)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('it goes on where its token has ended, since there may be another one by now; refused at once, there is none', async () => {
    const ended = new MeridianError('UNAUTHENTICATED', 'the token was revoked', { reason: 'token-ended' });
    const { cluster, node, nodes } = fakeCluster([new FakeNode(), new FakeNode()]);
    node.watchScripts = [[put('a', 1, 'c1'), ended], [put('b', 2, 'c2'), ended], [ended]];
    const changes = cluster.namespace('flags').watch()[Symbol.asyncIterator]();
    for (const key of ['a', 'b']) expect((await changes.next()).value).toMatchObject({ key });
    await expect(changes.next()).rejects.toBe(ended);
    expect(node.watches.map(({ cursor }) => cursor)).toEqual([undefined, 'c1', 'c2']);
    expect(nodes[1]?.watches).toEqual([]);
  });

  test('the signal, and closing the handle, end it without an error', async () => {
    const stop = new AbortController();
    const { cluster } = fakeCluster();
    const bySignal = take(cluster.namespace('flags').watch({ signal: stop.signal }), 1);
    const byClose = take(cluster.namespace('flags').watch(), 1);
    stop.abort();
    expect(await bySignal).toEqual([]);
    cluster.close();
    expect(await byClose).toEqual([]);
  });

  test('what was watched counts as seen by the session', async () => {
    const { cluster, node } = fakeCluster();
    node.watchScripts = [[put('a', 7, 'c')]];
    await take(cluster.namespace('flags').watch(), 1);
    await cluster.namespace('flags').get('a');
    expect(node.sessions.at(-1)?.vector.get(fakeLog)).toBe(7);
  });

  test('an edge inside the process watches at its next upstream after a failure, and not because a reader had enough', async () => {
    const nodes = [new FakeNode(), new FakeNode()] as const;
    nodes[0].watchScripts = [[put('a', 1, 'c1')], [lost]];
    const local = new LocalNode(nodes[0] as unknown as Upstream, nodes);
    const asked = { namespace: 'flags', prefix: '', fromStart: false };
    const stop = new AbortController();
    for await (const _ of local.watch(asked, stop.signal)) break;
    const stopped = local.watch(asked, stop.signal).next();
    await expect(stopped).rejects.toBe(lost);
    const third = local.watch(asked, stop.signal).next();
    stop.abort();
    await third;
    expect(nodes.map(({ watches }) => watches.length)).toEqual([2, 1]);
  });
});
