import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterHandle } from '../../../src/client/cluster-handle.ts';
import { isMeridianError } from '../../../src/model/errors.ts';
import { metric, ProcessCluster, placeOf } from '../process-cluster.ts';

/** Where Debian and others put the library that gives a process another wall clock. */
const library = ['x86_64-linux-gnu', 'aarch64-linux-gnu', '.']
  .map((folder) => join('/usr/lib', folder, 'faketime/libfaketimeMT.so.1'))
  .find((path) => existsSync(path));
if (library === undefined) console.warn('SKIPPED: needs libfaketime (apt-get install faketime) to step a clock');

/** The wall clock of one process, which a file moves while it runs. The monotonic one is left alone. */
class SteppedClock {
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;

  constructor(folder: string, name: string) {
    this.#file = join(folder, `${name}.clock`);
    this.step('+0');
    this.env = {
      LD_PRELOAD: library ?? '',
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** `-3600`: an hour behind the machine's clock. */
  step(seconds: string): void {
    writeFileSync(this.#file, seconds);
  }
}

function unlessAway(error: unknown): undefined {
  if (!isMeridianError(error, 'UNAVAILABLE')) throw error;
}

const steps = ['+0', '-3600', '+7200', '-86400', '+1', '+86400', '+0'];

describe.runIf(library !== undefined)('nodes whose wall clock is stepped', () => {
  let cluster: ProcessCluster;
  let clocks: string;

  beforeEach(() => {
    cluster = new ProcessCluster();
    clocks = mkdtempSync(join(tmpdir(), 'meridian-clock-'));
  });

  afterEach(async () => {
    await cluster.close();
    rmSync(clocks, { recursive: true, force: true });
  });

  /**
   * Puts, and reads at the edge until the value is there. An answer without the put shows a state from before it, so a
   * bound that it carries must reach back to the put: both are measured as durations, on clocks that nobody steps.
   */
  async function putAndSee(writer: ClusterHandle, reader: ClusterHandle, value: string): Promise<string> {
    await writer.namespace('ns').put('key', value);
    const acknowledgedMs = performance.now();
    for (let tries = 0; tries < 6000; tries++) {
      const askedMs = performance.now();
      // Who saw what the feed has yet to bring is told nothing earlier: while the origin is away, that is UNAVAILABLE.
      const answer = await reader.namespace('ns').getWithMetadata('key').catch(unlessAway);
      if (answer === undefined) {
        await delay(10);
        continue;
      }
      if (answer.value === value) return answer.version ?? '';
      const { staleness } = answer;
      if (staleness !== null) expect(staleness * 1000).toBeGreaterThanOrEqual(askedMs - acknowledgedMs);
      await delay(10);
    }
    throw new Error(`the edge does not show ${value} after a minute`);
  }

  async function untilProven(reader: ClusterHandle): Promise<number> {
    for (let tries = 0; tries < 6000; tries++) {
      const { staleness, source } = await reader.namespace('ns').getWithMetadata('key');
      if (staleness !== null && source === 'copy') return staleness;
      await delay(10);
    }
    throw new Error('the edge proves no bound after a minute');
  }

  it('give each write a later version than any before, and true bounds, while the origin’s clock goes to and fro', async () => {
    const clock = new SteppedClock(clocks, 'origin');
    let origin = await cluster.start('origin', 'iad', { env: clock.env });
    const listen = placeOf(origin.grpc);
    let writer = cluster.connect(origin);
    await writer.namespaces.create('ns');
    const edge = await cluster.start('edge', 'fra', { flags: ['--upstream', listen, '--replicate', 'ns'] });
    const reader = cluster.connect(edge);
    const versions: string[] = [];
    for (const [round, seconds] of steps.entries()) {
      clock.step(seconds);
      versions.push(await putAndSee(writer, reader, `running ${round}`));
    }
    for (const [round, seconds] of steps.entries()) {
      await origin.kill();
      clock.step(seconds);
      origin = await cluster.start('origin', 'iad', { listen, env: clock.env });
      // A client of its own: no session brings the earlier stamps along.
      writer = cluster.connect(origin);
      versions.push(await putAndSee(writer, reader, `restarted ${round}`));
    }
    expect(versions).toEqual([...new Set(versions)].sort());
    expect(versions).toHaveLength(2 * steps.length);
    // The clock was really stepped: the third put was two hours ahead, and every later stamp had to follow it.
    const aheadMs = Number.parseInt((versions[2] ?? '').slice(0, 12), 16) - Date.now();
    expect(aheadMs).toBeGreaterThan(3_600_000);
    expect(await untilProven(reader)).toBeGreaterThanOrEqual(0);
  });

  /** What the node says of the key at once, by `/readyz` and status too. */
  async function toldOfClock(node: Awaited<ReturnType<ProcessCluster['start']>>): Promise<string> {
    const ready = await fetch(`http://${placeOf(node.http)}/readyz`);
    return `${ready.status} ${await ready.text()}`;
  }

  it('serve a value at an edge for as long as the origin means, and say that the edge’s clock is off', async () => {
    const clock = new SteppedClock(clocks, 'edge');
    const origin = await cluster.start('origin', 'iad');
    const writer = cluster.connect(origin);
    await writer.namespaces.create('ns');
    const flags = ['--upstream', placeOf(origin.grpc), '--replicate', 'ns'];
    const edge = await cluster.start('edge', 'fra', { flags, env: clock.env });
    const reader = cluster.connect(edge);
    await putAndSee(writer, reader, 'first');
    for (const [seconds, told] of [
      ['-3', 'behind its upstream'],
      ['+3600', 'ahead of its upstream'],
    ] as const) {
      clock.step(seconds);
      await writer.namespace('ns').put('short', seconds, { expirationTtl: 3 });
      const expiresMs = (Math.ceil(Date.now() / 1000) + 3) * 1000;
      await expect.poll(() => reader.namespace('ns').get('short'), { timeout: 60_000 }).toBe(seconds);
      expect(Date.now()).toBeLessThan(expiresMs + 1000);
      for (let served = true; served; await delay(20)) {
        const askedMs = Date.now();
        served = (await reader.namespace('ns').get('short')) !== null;
        // The expiry was stamped within the second before `expiresMs`; a round trip and the permitted skew come on top.
        if (served) expect(askedMs).toBeLessThan(expiresMs + 1000);
        else expect(Date.now()).toBeGreaterThanOrEqual(expiresMs - 1000);
      }
      await expect.poll(() => toldOfClock(edge), { timeout: 60_000 }).toMatch(new RegExp(`^200 ready: .*${told}`));
      const off = await metric(edge, 'meridian_clock_offset_seconds{role="edge"}');
      expect(Math.abs((off ?? 0) - Number(seconds))).toBeLessThan(1);
    }
  });

  it('lose nothing that has a ttl to an origin’s clock that jumps ahead for a moment, or before a start', async () => {
    const clock = new SteppedClock(clocks, 'origin');
    let origin = await cluster.start('origin', 'iad', { env: clock.env });
    const listen = placeOf(origin.grpc);
    let writer = cluster.connect(origin);
    await writer.namespaces.create('ns');
    const edge = await cluster.start('edge', 'fra', { flags: ['--upstream', listen, '--replicate', 'ns'] });
    const reader = cluster.connect(edge);
    await writer.namespace('ns').put('lasting', 'there', { expirationTtl: 1800 });
    await expect.poll(() => reader.namespace('ns').get('lasting'), { timeout: 60_000 }).toBe('there');
    for (const restarted of [false, true]) {
      if (restarted) await origin.kill();
      clock.step('+3600');
      if (restarted) {
        origin = await cluster.start('origin', 'iad', { listen, env: clock.env });
        writer = cluster.connect(origin);
      }
      await expect.poll(() => writer.namespace('ns').get('lasting'), { timeout: 60_000 }).toBeNull();
      await delay(3000); // Some rounds of garbage collection.
      clock.step('+0');
      await expect.poll(() => writer.namespace('ns').get('lasting'), { timeout: 60_000 }).toBe('there');
      await expect.poll(() => reader.namespace('ns').get('lasting'), { timeout: 60_000 }).toBe('there');
    }
  });

  it('prove true bounds again after the edge’s own clock was stepped, running or restarted', async () => {
    const clock = new SteppedClock(clocks, 'edge');
    const origin = await cluster.start('origin', 'iad');
    const writer = cluster.connect(origin);
    await writer.namespaces.create('ns');
    const flags = ['--upstream', placeOf(origin.grpc), '--replicate', 'ns'];
    let edge = await cluster.start('edge', 'fra', { flags, env: clock.env });
    let reader = cluster.connect(edge);
    for (const [round, seconds] of steps.entries()) {
      clock.step(seconds);
      await putAndSee(writer, reader, `running ${round}`);
      await untilProven(reader);
    }
    for (const [round, seconds] of steps.entries()) {
      await edge.kill();
      clock.step(seconds);
      edge = await cluster.start('edge', 'fra', { flags, env: clock.env });
      reader = cluster.connect(edge);
      await putAndSee(writer, reader, `restarted ${round}`);
      await untilProven(reader);
    }
  });
});
