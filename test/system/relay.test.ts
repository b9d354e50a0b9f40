import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import type { ClusterHandle } from '../../src/client/cluster-handle.ts';
import { metric, ProcessCluster, placeOf } from './process-cluster.ts';

const patience = { timeout: 30_000 };

describe('a chain of processes: origin, relay, relay, edge', () => {
  let cluster: ProcessCluster;
  let origin: ChildNode;
  let relays: ChildNode[];
  let edge: ChildNode;
  let writer: ClusterHandle;
  let reader: ClusterHandle;

  const below = (...upstreams: ChildNode[]) => upstreams.flatMap(({ grpc }) => ['--upstream', placeOf(grpc)]);

  beforeEach(async () => {
    cluster = new ProcessCluster();
    origin = await cluster.start('origin', 'iad');
    writer = cluster.connect(origin);
    for (const title of ['copied', 'cached']) await writer.namespaces.create(title);
    const first = await cluster.start('edge', 'relay1', { flags: [...below(origin), '--replicate', '*'] });
    const second = await cluster.start('edge', 'relay2', { flags: [...below(first, origin), '--replicate', '*'] });
    relays = [first, second];
    edge = await cluster.start('edge', 'fra', { flags: [...below(second), '--replicate', 'copied'] });
    reader = cluster.connect(edge);
  });

  afterEach(() => cluster.close());

  const read = async (title: string) => {
    const { value, source, staleness } = await reader.namespace(title).getWithMetadata('key', { maxStaleness: 3600 });
    return { value, source, proven: typeof staleness === 'number' };
  };

  it('shows at its end what is written at its head, from a copy and from a cache, with a proven bound', async () => {
    for (const title of ['copied', 'cached']) await writer.namespace(title).put('key', 'one');
    await expect.poll(() => read('copied'), patience).toEqual({ value: 'one', source: 'copy', proven: true });
    await expect.poll(() => read('cached'), patience).toEqual({ value: 'one', source: 'cache', proven: true });
    for (const title of ['copied', 'cached']) await writer.namespace(title).put('key', 'two');
    await expect.poll(() => read('copied'), patience).toEqual({ value: 'two', source: 'copy', proven: true });
    await expect.poll(() => read('cached'), patience).toEqual({ value: 'two', source: 'cache', proven: true });
    await reader.namespace('cached').put('up', 'three');
    expect(await writer.namespace('cached').get('up')).toBe('three');
  });

  it('goes on past a relay that is killed, without a resync, and brings on what was written meanwhile', async () => {
    await writer.namespace('copied').put('key', 'one');
    await expect.poll(() => read('copied'), patience).toEqual({ value: 'one', source: 'copy', proven: true });
    const [first, second] = relays;
    if (first === undefined || second === undefined) throw new Error('there are two relays');
    await first.kill();
    await writer.namespace('copied').put('key', 'two');
    await expect.poll(() => read('copied'), patience).toEqual({ value: 'two', source: 'copy', proven: true });
    expect(await metric(second, 'meridian_feed_resyncs_sent_total{reason="below-floor"}')).toBeUndefined();
    expect(await metric(second, 'meridian_feed_events_received_total{part="copy",kind="resync"}')).toBeUndefined();
    for (const scope of ['copy', 'cache']) {
      expect(await metric(second, `meridian_feed_followers{role="edge",scope="${scope}",state="live"}`)).toBe(1);
    }
  });

  it('goes on reading at its end when its head is gone, and says how old that may be', async () => {
    await writer.namespace('copied').put('key', 'one');
    await expect.poll(() => read('copied'), patience).toEqual({ value: 'one', source: 'copy', proven: true });
    await origin.kill();
    const staleness = async () =>
      (await reader.namespace('copied').getWithMetadata('key', { maxStaleness: 3600 })).staleness;
    const before = (await staleness()) ?? 0;
    await expect.poll(staleness, patience).toBeGreaterThan(before + 1);
    expect((await read('copied')).value).toBe('one');
  });
});
