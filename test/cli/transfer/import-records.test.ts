import { describe, expect, test } from 'vitest';
import type { ImportRecord } from '../../../src/cli/formats/import-record.ts';
import { type ImportOptions, importRecords } from '../../../src/cli/transfer/import-records.ts';
import type { BatchMutation, BatchResult } from '../../../src/client/batch-write.ts';
import { MeridianError } from '../../../src/model/errors.ts';
import { leapingClock } from '../leaping-clock.ts';

const result: BatchResult = { written: [], durability: 'local', origin: '' };

async function* records(count: number): AsyncGenerator<ImportRecord> {
  for (let i = 0; i < count; i++) yield { key: `k${i}`, value: Buffer.from(`v${i}`) };
}

function options(changes: Partial<ImportOptions>): ImportOptions {
  return {
    skip: 0,
    concurrency: 4,
    retryMs: 10_000,
    clock: leapingClock(),
    random: { fraction: () => 0.5, hex: () => '' },
    signal: new AbortController().signal,
    write: async () => result,
    leftOut: () => {},
    advanced: async () => {},
    ...changes,
  };
}

const unavailable = () => new MeridianError('UNAVAILABLE', 'away', { reason: 'test' });
const keysOf = (mutations: readonly BatchMutation[]) => mutations.map(({ key }) => key);

describe('importing', () => {
  test('every record is written once, in batches, and counted', async () => {
    const written: string[] = [];
    let largest = 0;
    const count = await importRecords(
      records(1700),
      options({
        write: async (mutations) => {
          written.push(...keysOf(mutations));
          largest = Math.max(largest, mutations.length);
          return result;
        },
      }),
    );
    expect(count).toBe(1700);
    expect(new Set(written).size).toBe(1700);
    expect(written).toHaveLength(1700);
    expect(largest).toBe(500);
  });

  test('no more batches are under way than were allowed', async () => {
    const open: Array<() => void> = [];
    let now = 0;
    let most = 0;
    const write = () =>
      new Promise<BatchResult>((resolve) => {
        most = Math.max(most, ++now);
        open.push(() => {
          now--;
          resolve(result);
        });
      });
    const importing = importRecords(records(3000), options({ concurrency: 3, write }));
    for (let batch = 0; batch < 6; batch++) {
      await expect.poll(() => now).toBe(Math.min(3, 6 - batch));
      open.shift()?.();
    }
    await importing;
    expect(most).toBe(3);
  });

  test('a batch counts only once all before it are acknowledged', async () => {
    const release: Array<() => void> = [];
    const told: number[] = [];
    const importing = importRecords(
      records(1500),
      options({
        write: () => new Promise((resolve) => release.push(() => resolve(result))),
        advanced: async (count) => void told.push(count),
      }),
    );
    await expect.poll(() => release.length).toBe(3);
    release[2]?.();
    release[1]?.();
    await Promise.resolve();
    expect(told).toEqual([]);
    release[0]?.();
    expect(await importing).toBe(1500);
    expect(told).toEqual([1500]);
  });

  test('after a failure, going on behind what was counted leaves no record out', async () => {
    const held = new Set<string>();
    let acknowledged = 0;
    let calls = 0;
    const advanced = async (count: number) => {
      acknowledged = count;
    };
    const failing = async (mutations: readonly BatchMutation[]) => {
      if (++calls === 6) throw new MeridianError('DATA_LOSS', 'broken', { reason: 'test' });
      for (const key of keysOf(mutations)) held.add(key);
      return result;
    };
    await expect(importRecords(records(5000), options({ write: failing, advanced }))).rejects.toThrow('broken');
    expect(acknowledged).toBeLessThan(5000);
    for (let i = 0; i < acknowledged; i++) expect(held.has(`k${i}`)).toBe(true);
    const write = async (mutations: readonly BatchMutation[]) => {
      for (const key of keysOf(mutations)) held.add(key);
      return result;
    };
    expect(await importRecords(records(5000), options({ skip: acknowledged, write, advanced }))).toBe(5000);
    expect(held.size).toBe(5000);
  });

  test('a cluster that is away is waited for, up to the time given', async () => {
    let failures = 3;
    const write = async () => {
      if (failures-- > 0) throw unavailable();
      return result;
    };
    expect(await importRecords(records(10), options({ write }))).toBe(10);
    const never = async () => {
      throw unavailable();
    };
    await expect(importRecords(records(10), options({ write: never }))).rejects.toThrow('away');
  });

  test('what had expired is left out and counted, by this clock and by the origin’s', async () => {
    async function* aging(): AsyncGenerator<ImportRecord> {
      for (const expiration of [1, 50, 200, 300])
        yield { key: `until ${expiration}`, value: Buffer.from('v'), expiration };
      yield { key: 'for ever', value: Buffer.from('v') };
    }
    const clock = { ...leapingClock(), wallMs: () => 100_000 };
    const written: string[][] = [];
    let expired = 0;
    const write = async (mutations: readonly BatchMutation[]) => {
      written.push(keysOf(mutations));
      if (written.length > 1) return result;
      throw new MeridianError('INVALID_ARGUMENT', 'past', { reason: 'expiry-past', limit: 250, seen: 200 });
    };
    const leftOut = (records: number) => {
      expired += records;
    };
    expect(await importRecords(aging(), options({ clock, write, leftOut }))).toBe(5);
    expect(written).toEqual([
      ['until 200', 'until 300', 'for ever'],
      ['until 300', 'for ever'],
    ]);
    expect(expired).toBe(3);
  });

  test('a batch waits for those before it that write one of its keys: the last line of a key wins', async () => {
    async function* twice(): AsyncGenerator<ImportRecord> {
      for (const value of ['old', 'new']) {
        for (let i = 0; i < 500; i++) yield { key: `k${i}`, value: Buffer.from(value) };
      }
    }
    const [begun, ends] = [[] as string[], [] as Array<() => void>];
    const write = (mutations: readonly BatchMutation[]) => {
      const [put] = mutations;
      begun.push(put?.kind === 'put' ? String(put.value) : '');
      return new Promise<BatchResult>((resolve) => ends.push(() => resolve(result)));
    };
    const importing = importRecords(twice(), options({ write }));
    await expect.poll(() => ends.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(begun).toEqual(['old']);
    ends[0]?.();
    await expect.poll(() => ends.length).toBe(2);
    ends[1]?.();
    expect(await importing).toBe(1000);
    expect(begun).toEqual(['old', 'new']);
  });

  test('a refusal is not tried again', async () => {
    let calls = 0;
    const write = async () => {
      calls++;
      throw new MeridianError('INVALID_ARGUMENT', 'too long', { reason: 'test' });
    };
    await expect(importRecords(records(3), options({ write }))).rejects.toThrow('too long');
    expect(calls).toBe(1);
  });

  test('being stopped ends it with the reason, and keeps what was counted', async () => {
    const stop = new AbortController();
    let acknowledged = 0;
    const importing = importRecords(
      records(100_000),
      options({
        signal: stop.signal,
        advanced: async (count) => {
          acknowledged = count;
          if (count >= 1000) stop.abort(new Error('stopped by a person'));
        },
      }),
    );
    await expect(importing).rejects.toThrow('stopped by a person');
    expect(acknowledged).toBeGreaterThanOrEqual(1000);
    expect(acknowledged).toBeLessThan(100_000);
  });
});
