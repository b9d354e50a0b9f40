import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../../../src/cli/demo/child-node.ts';
import type { ClusterHandle } from '../../../../src/client/cluster-handle.ts';
import type { Namespace } from '../../../../src/client/namespace.ts';
import { metric, type NodeStart, ProcessCluster, placeOf } from '../../process-cluster.ts';
import { behaveWell, partWithin, percentile } from './well-behaved.ts';

/**
 * Rude callers beside a well-behaved one. A short run says that nothing is lost and that memory is bounded; how fast the
 * answers are is judged in a long run, by hand on a machine that does nothing else:
 *
 *   OVERLOAD_SECONDS=60 npx vitest run --project external test/system/external/overload
 *
 * OVERLOAD_REPORT names a file to which a line of figures is added for each attack. With OVERLOAD_SMALL=1 an origin, and then
 * an edge that caches, has the options of docs/operations.md for a small container, and must stay within 256 MiB: its values
 * have 8 MiB then, and so has its largest request.
 */
const seconds = Number(process.env['OVERLOAD_SECONDS'] ?? 6);
const isLong = seconds >= 30;
const report = process.env['OVERLOAD_REPORT'];
const largeValues = Number(process.env['OVERLOAD_LARGE_VALUES'] ?? 8);

const mebibyte = 1024 * 1024;
const smallKeys = Array.from({ length: 50 }, (_, i) => `small-${i}`);
const small = {
  flags:
    '--request-size-max 9MiB --answer-memory 8MiB --upload-memory 8MiB --cache-memory 8MiB --ring-bytes 4MiB --connections-max 1024 --scans-max 1',
  env: {
    NODE_OPTIONS: '--max-old-space-size=96 --max-semi-space-size=2',
    MALLOC_ARENA_MAX: '1',
    MALLOC_MMAP_THRESHOLD_: '60000',
    MALLOC_TRIM_THRESHOLD_: '131072',
  },
};
const isSmall = process.env['OVERLOAD_SMALL'] === '1';
/** Of a value that the node holds, and of the largest that rude callers send. */
const largeMebibytes = isSmall ? 8 : 25;
const started: NodeStart = isSmall ? { flags: small.flags.split(' '), env: small.env } : {};
/**
 * What a node may take with these options, or the defaults: 256 MiB for answers, for requests, and what it takes to make
 * them (docs/operations.md), and a quarter more, as buffers wait to be collected while the attackers take the processors.
 * Tables that are mapped are not counted: the system takes them back.
 */
const ownBytesMax = (isSmall ? 256 : 1792) * mebibyte;

/** Bytes resident that are the process' own. */
function ownBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

const attacks = [
  'reads that nobody reads',
  'reads that are opened and cancelled',
  'gets of large values over HTTP that nobody reads',
  'batch gets of large values',
  'pipelined scrapes that nobody reads',
  'pipelined scrapes on one connection',
  'lists that nobody reads',
  'messages that stop before their end',
  'batches that stop before their end',
  'uploads over HTTP that stop before their end',
  'large uploads at once',
  'idle connections',
  'headers without end',
  'calls that are reset at once, on new connections',
  'streams that are opened and dropped',
];

async function fill(client: ClusterHandle): Promise<void> {
  await client.namespaces.create('attacked');
  const namespace = client.namespace('attacked');
  const large = new Uint8Array(largeMebibytes * mebibyte).fill(7);
  for (let i = 0; i < largeValues; i++) await namespace.put(`large-${i}`, large);
  await namespace.write(smallKeys.map((key) => ({ kind: 'put' as const, key, value: `value of ${key}` })));
  // A list that is as large as a list may be.
  const metadata = 'm'.repeat(1000);
  const listed = Array.from({ length: 1000 }, (_, i) => `list-${i}`.padEnd(500, 'x'));
  await namespace.write(listed.map((key) => ({ kind: 'put' as const, key, value: '', metadata })));
}

function behind(origin: ChildNode): NodeStart {
  const { flags = [], ...rest } = started;
  return { flags: ['--upstream', placeOf(origin.grpc), ...flags], ...rest };
}

describe.each(isSmall ? (['origin', 'edge'] as const) : (['origin'] as const))('an %s beside rude callers', (role) => {
  let cluster: ProcessCluster;
  let node: ChildNode;
  let namespace: Namespace;
  let attacker: ChildProcess | undefined;

  beforeAll(async () => {
    cluster = new ProcessCluster();
    const origin = await cluster.start('origin', 'iad', role === 'origin' ? started : {});
    await fill(cluster.connect(origin));
    node = role === 'origin' ? origin : await cluster.start('edge', 'fra', behind(origin));
    if (role === 'edge') await cluster.ready(node);
    namespace = cluster.connect(node).namespace('attacked');
  });

  afterEach(() => void attacker?.kill('SIGKILL'));
  afterAll(() => cluster.close());

  it.each(attacks)(
    'answers all that its well-behaved caller asks, within its memory: %s',
    async (attack) => {
      const script = resolve('test/system/external/overload/attacker.mjs');
      const places = [placeOf(node.grpc), placeOf(node.http), String(largeValues), String(largeMebibytes)];
      attacker = spawn(process.execPath, [script, attack, ...places], { stdio: ['pipe', 'ignore', 'inherit'] });
      const small = { namespace, keys: smallKeys };
      let own = 0;
      const looking = setInterval(() => {
        own = Math.max(own, ownBytes(node.pid));
      }, 50);
      const seen = await behaveWell(small, placeOf(node.http), { forMs: seconds * 1000 }).finally(() =>
        clearInterval(looking),
      );
      expect(attacker.exitCode).toBeNull();
      attacker.kill('SIGKILL');
      // A minute after, in a long run.
      await delay(isLong ? 20_000 : 1000);
      const after = (await metric(node, 'process_resident_memory_bytes')) ?? Number.NaN;
      const peak = Math.max(...seen.residentBytes);
      const figures = [
        attack,
        `${(100 * partWithin(seen.getMs, 1000)).toFixed(2)} % of ${seen.getMs.length} gets within 1 s`,
        `p99 ${percentile(seen.getMs, 0.99)} ms`,
        `health at most ${Math.round(Math.max(...seen.healthMs))} ms`,
        `${Math.round(peak / mebibyte)} MiB resident at most, ${Math.round(own / mebibyte)} MiB its own`,
        `${Math.round(after / mebibyte)} MiB resident after`,
      ].join(' | ');
      if (report !== undefined) appendFileSync(report, `| ${figures} |\n`);
      // Where there may be few connections, a flood of new ones keeps probes out for a moment.
      expect(seen.failures.filter((failure) => !isSmall || failure.startsWith('get'))).toEqual([]);
      expect(own).toBeLessThan(ownBytesMax);
      if (!isLong) return;
      expect(partWithin(seen.getMs, 1000)).toBeGreaterThanOrEqual(0.999);
      expect(Math.max(...seen.healthMs)).toBeLessThan(1000);
    },
    seconds * 1000 + 120_000,
  );
});
