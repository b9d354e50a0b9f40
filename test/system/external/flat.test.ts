import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../../src/cli/demo/child-node.ts';
import type { ClusterHandle } from '../../../src/client/cluster-handle.ts';
import { connect } from '../../../src/client/connect.ts';
import { systemClock } from '../../../src/runtime/system-clock.ts';
import { ProcessCluster, placeOf } from '../process-cluster.ts';

/**
 * A node under mixed load, with edges that come and go, uses no more after minutes than after the first: descriptors,
 * sockets, timers, memory. FLAT_SECONDS says for how long; an hour by hand finds what is slow to grow. FLAT_REPORT names a
 * file to which what was used is added, a third of the way and at the end.
 */
const seconds = Number(process.env['FLAT_SECONDS'] ?? 90);
const report = process.env['FLAT_REPORT'];
const mebibyte = 1024 * 1024;
/** An edge's life, and a client's. */
const lifeMs = 5000;

interface Use {
  readonly descriptors: number;
  readonly sockets: number;
  readonly timers: number;
  readonly heapBytes: number;
  readonly residentBytes: number;
}

async function useOf(node: ChildNode): Promise<Use> {
  const text = await (await fetch(`http://${placeOf(node.http)}/metrics`)).text();
  const sample = (name: string) => {
    const found = text.split('\n').find((line) => line.startsWith(`${name} `));
    if (found === undefined) throw new Error(`no sample ${name}`);
    return Number(found.slice(name.length + 1));
  };
  const resources = (type: string) => {
    return text.includes(`nodejs_active_resources{type="${type}"}`)
      ? sample(`nodejs_active_resources{type="${type}"}`)
      : 0;
  };
  return {
    descriptors: readdirSync(`/proc/${node.pid}/fd`).length,
    sockets: resources('TCPSocketWrap'),
    timers: resources('Timeout'),
    heapBytes: sample('nodejs_heap_size_used_bytes'),
    residentBytes: sample('process_resident_memory_bytes'),
  };
}

/** Once what came and went is gone: the least of some looks, as garbage lies about between them. */
async function atRest(node: ChildNode): Promise<Use> {
  const uses: Use[] = [];
  for (let i = 0; i < 10; i++) {
    uses.push(await useOf(node));
    await delay(500);
  }
  const least = (of: (use: Use) => number) => Math.min(...uses.map(of));
  return {
    descriptors: least(({ descriptors }) => descriptors),
    sockets: least(({ sockets }) => sockets),
    timers: least(({ timers }) => timers),
    heapBytes: least(({ heapBytes }) => heapBytes),
    residentBytes: least(({ residentBytes }) => residentBytes),
  };
}

describe('a node over minutes of mixed load', () => {
  let cluster: ProcessCluster;

  beforeEach(() => {
    cluster = new ProcessCluster();
  });

  afterEach(() => cluster.close());

  async function mixedLoad(client: ClusterHandle, origin: ChildNode, forMs: number): Promise<void> {
    const untilMs = systemClock.monotonicMs() + forMs;
    const goesOn = () => systemClock.monotonicMs() < untilMs;
    const namespace = client.namespace('flat');
    const readsAndWrites = async () => {
      for (let i = 0; goesOn(); i++) {
        await namespace.put(`k${i % 200}`, 'v'.repeat(1000));
        await namespace.get(`k${(i * 7) % 200}`);
        if (i % 50 === 0) await namespace.list({ prefix: 'k' });
        if (i % 100 === 0) await namespace.put('large', new Uint8Array(5 * mebibyte));
        if (i % 100 === 50) await namespace.get('large', 'arrayBuffer');
        if (i % 100 === 75) await fetch(`http://${placeOf(origin.http)}/status`);
      }
    };
    const watches = async () => {
      while (goesOn()) {
        const stop = new AbortController();
        const watched = namespace.watch({ signal: stop.signal })[Symbol.asyncIterator]();
        await watched.next().catch(() => {});
        stop.abort();
      }
    };
    const visitors = async () => {
      while (goesOn()) {
        const visitor = connect({ endpoints: [placeOf(origin.grpc)] });
        await visitor.namespace('flat').get('k1');
        visitor.close();
        await delay(20);
      }
    };
    const edges = async () => {
      for (let i = 0; goesOn(); i++) {
        const edge = await cluster.start('edge', `edge-${i % 2}`, { flags: ['--upstream', placeOf(origin.grpc)] });
        await delay(lifeMs);
        await edge.kill();
      }
    };
    await Promise.all([readsAndWrites(), readsAndWrites(), watches(), visitors(), edges()]);
  }

  it(
    'holds no more descriptors, sockets, timers and memory than at first',
    async () => {
      const origin = await cluster.start('origin', 'iad');
      expect(readFileSync(`/proc/${origin.pid}/cmdline`, 'utf8')).toContain('origin');
      const client = cluster.connect(origin);
      await client.namespaces.create('flat');
      await mixedLoad(client, origin, (seconds * 1000) / 3);
      const first = await atRest(origin);
      await mixedLoad(client, origin, (seconds * 1000 * 2) / 3);
      const last = await atRest(origin);
      if (report !== undefined) appendFileSync(report, `${JSON.stringify({ first, last })}\n`);
      // Some belong to what the store does in the background, and to connections that are just closing.
      expect(last.descriptors).toBeLessThan(first.descriptors + 30);
      expect(last.sockets).toBeLessThan(first.sockets + 10);
      expect(last.timers).toBeLessThan(first.timers + 20);
      expect(last.heapBytes).toBeLessThan(first.heapBytes + 48 * mebibyte);
      expect(last.residentBytes).toBeLessThan(first.residentBytes + 384 * mebibyte);
    },
    seconds * 1000 * 2 + 120_000,
  );
});
