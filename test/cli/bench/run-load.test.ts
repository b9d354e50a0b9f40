import { describe, expect, test } from 'vitest';
import { loadAsJson, loadAsText } from '../../../src/cli/bench/describe-load.ts';
import { clientTarget } from '../../../src/cli/bench/load-target.ts';
import { type LoadPlan, runLoad } from '../../../src/cli/bench/run-load.ts';
import { MeridianError } from '../../../src/model/errors.ts';
import { sleep } from '../../../src/runtime/clock.ts';
import { fakeCluster } from '../../client/fake-cluster.ts';
import { leapingClock } from '../leaping-clock.ts';

const plan: LoadPlan = {
  durationMs: 1000,
  concurrency: 1,
  reads: 0.75,
  ratePerSecond: 100,
  valueBytes: 8,
  keys: 10,
};

/** Fractions that go round evenly: a quarter of the decisions falls on writes. */
function evenRandom() {
  let i = 0;
  return { fraction: () => (i++ % 8) / 8, hex: () => '' };
}

function load(changes: Partial<LoadPlan> = {}, failure?: MeridianError) {
  const { cluster, node } = fakeCluster();
  node.failure = failure;
  const signal = new AbortController().signal;
  const target = clientTarget(cluster.namespace('bench'));
  const tools = { target, clock: leapingClock(), random: evenRandom(), signal };
  return { node, report: runLoad({ ...plan, ...changes }, tools) };
}

describe('a load', () => {
  test('at a set rate makes as many calls as fall due in its time, each read or write', async () => {
    const { node, report } = load();
    const { reads, writes, elapsedMs } = await report;
    expect(reads.latencies.count + writes.latencies.count).toBe(100);
    expect([node.gets.length, node.writes.length]).toEqual([reads.latencies.count, writes.latencies.count]);
    expect(elapsedMs).toBeGreaterThanOrEqual(990);
  });

  test('at a rate that is not kept ends with its time, and counts what never got its turn', async () => {
    const clock = leapingClock();
    const slow = () => sleep(clock, 100, new AbortController().signal);
    const run = (changes: Partial<LoadPlan>, target = { get: slow, put: slow }) =>
      runLoad({ ...plan, ...changes }, { target, clock, random: evenRandom(), signal: new AbortController().signal });
    const { reads, writes, elapsedMs, missed } = await run({});
    expect({ elapsedMs, missed, made: reads.latencies.count + writes.latencies.count }).toEqual({
      ...{ elapsedMs: 1000, missed: 90, made: 10 },
    });
    expect(reads.latencies.max / 1e6).toBeLessThan(1100);
    const report = await run({ ratePerSecond: 10 });
    expect(report.missed).toBe(0);
    expect(loadAsText(report)).not.toContain('turn');
    expect(await run({ ratePerSecond: undefined })).not.toHaveProperty('missed');
    expect(loadAsText({ ...report, missed: 90 })).toMatch(/\n90 calls fell due and never got their turn/);
    expect(loadAsJson({ ...report, missed: 90 })).toMatchObject({ missed: 90 });
  });

  test.each([
    [1.1, 10_000, 11],
    [333.333, 3000, 1000],
    [0.001, 10, 1],
    [7, 1000, 7],
  ])('at %d a second misses nothing in %d ms where each call is at once', async (ratePerSecond, durationMs, made) => {
    const { reads, writes, missed } = await load({ ratePerSecond, durationMs }).report;
    expect([reads.latencies.count + writes.latencies.count, missed]).toEqual([made, 0]);
  });

  test('of reads alone writes nothing, and the other way round', async () => {
    expect((await load({ reads: 1 }).report).writes.latencies.count).toBe(0);
    expect((await load({ reads: 0 }).report).reads.latencies.count).toBe(0);
  });

  test('puts values of the size asked for', async () => {
    const { node, report } = load({ reads: 0, valueBytes: 100 });
    await report;
    expect(node.writes[0]?.mutations[0]).toMatchObject({ value: { byteLength: 100 } });
  });

  test('counts failures by code, apart from latencies', async () => {
    const { report } = load({ reads: 1 }, new MeridianError('RESOURCE_EXHAUSTED', 'busy', { reason: 'test' }));
    const { reads } = await report;
    expect(reads.latencies.count).toBe(0);
    expect([...reads.failures]).toEqual([['RESOURCE_EXHAUSTED', 100]]);
  });

  test('is told with its percentiles, as a table and as JSON', async () => {
    const report = await load({ reads: 1 }).report;
    expect(loadAsText(report)).toMatch(
      /^call +count +per second +p50 ms +p90 ms +p99 ms +p99.9 ms +max ms +failed\nget +100/,
    );
    expect(loadAsJson(report)).toMatchObject({
      reads: { count: 100, latencyMs: { p50: expect.any(Number), 'p99.9': expect.any(Number) }, failures: {} },
      writes: { count: 0, latencyMs: { p50: null } },
    });
  });
});
