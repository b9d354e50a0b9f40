import { describe, expect, test } from 'vitest';
import type { ImportRecord } from '../../../src/cli/formats/import-record.ts';
import { type ImportOptions, importRecords, type UnreadImport } from '../../../src/cli/transfer/import-records.ts';
import type { SkippedRecord } from '../../../src/cli/transfer/write-batch.ts';
import { UsageError } from '../../../src/cli/usage-error.ts';
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
/** As a node does: the whole batch, without saying which of its keys it means. */
function refuse(mutations: readonly BatchMutation[], bad: readonly string[]): void {
  if (!mutations.some(({ key }) => bad.includes(key))) return;
  throw new MeridianError('INVALID_ARGUMENT', 'too long', { reason: 'test', limit: 512, seen: 600 });
}

const keysOf = (mutations: readonly BatchMutation[]) => mutations.map(({ key }) => key);

describe('importing', () => {
  test('every record is written once, in batches, and counted', async () => {
    const written: string[] = [];
    let largest = 0;
    const count = await importRecords(
      records(2700),
      options({
        write: async (mutations) => {
          written.push(...keysOf(mutations));
          largest = Math.max(largest, mutations.length);
          return result;
        },
      }),
    );
    expect(count).toBe(2700);
    expect(new Set(written).size).toBe(2700);
    expect(written).toHaveLength(2700);
    expect(largest).toBe(1000);
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
    const importing = importRecords(records(6000), options({ concurrency: 3, write }));
    for (let batch = 0; batch < 6; batch++) {
      await expect.poll(() => now).toBe(Math.min(3, 6 - batch));
      open.shift()?.();
    }
    await importing;
    expect(most).toBe(3);
  });

  test('of large values fewer are under way: 64 MiB together', async () => {
    async function* large(): AsyncGenerator<ImportRecord> {
      for (let i = 0; i < 6; i++) yield { key: `k${i}`, value: Buffer.alloc(25 * 1024 * 1024) };
    }
    const open: Array<() => void> = [];
    let most = 0;
    const write = () =>
      new Promise<BatchResult>((resolve) => {
        open.push(() => resolve(result));
        most = Math.max(most, open.length);
      });
    const importing = importRecords(large(), options({ concurrency: 8, write }));
    for (let ended = 0; ended < 6; ended++) {
      await expect.poll(() => open.length).toBe(Math.min(2, 6 - ended));
      open.shift()?.();
    }
    expect(await importing).toBe(6);
    expect(most).toBe(2);
  });

  test('a batch counts only once all before it are acknowledged', async () => {
    const release: Array<() => void> = [];
    const told: number[] = [];
    const importing = importRecords(
      records(3000),
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
    expect(await importing).toBe(3000);
    expect(told).toEqual([3000]);
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
    await expect(importRecords(records(10_000), options({ write: failing, advanced }))).rejects.toThrow('broken');
    expect(acknowledged).toBeLessThan(10_000);
    for (let i = 0; i < acknowledged; i++) expect(held.has(`k${i}`)).toBe(true);
    const write = async (mutations: readonly BatchMutation[]) => {
      for (const key of keysOf(mutations)) held.add(key);
      return result;
    };
    expect(await importRecords(records(10_000), options({ skip: acknowledged, write, advanced }))).toBe(10_000);
    expect(held.size).toBe(10_000);
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
    const expired: number[] = [];
    const write = async (mutations: readonly BatchMutation[]) => {
      written.push(keysOf(mutations));
      if (written.length > 1) return result;
      throw new MeridianError('INVALID_ARGUMENT', 'past', { reason: 'expiry-past', limit: 250, seen: 200 });
    };
    const leftOut = (number: number) => void expired.push(number);
    expect(await importRecords(aging(), options({ clock, write, leftOut }))).toBe(5);
    expect(written).toEqual([
      ['until 200', 'until 300', 'for ever'],
      ['until 300', 'for ever'],
    ]);
    expect(expired).toEqual([1, 2, 3]);
  });

  test('a time to live wins over a time that has passed, as in a bulk write of Workers KV', async () => {
    async function* both(): AsyncGenerator<ImportRecord> {
      yield { key: 'lives', value: Buffer.from('v'), expiration: 1, expirationTtl: 60 };
    }
    const written: string[] = [];
    const expired: number[] = [];
    const write = async (mutations: readonly BatchMutation[]) => {
      written.push(...keysOf(mutations));
      return result;
    };
    const clock = { ...leapingClock(), wallMs: () => 100_000 };
    const leftOut = (number: number) => void expired.push(number);
    await importRecords(both(), options({ clock, write, leftOut }));
    expect([written, expired]).toEqual([['lives'], []]);
  });

  test('a batch waits for those before it that write one of its keys: the last line of a key wins', async () => {
    async function* twice(): AsyncGenerator<ImportRecord> {
      for (const value of ['old', 'new']) {
        for (let i = 0; i < 1000; i++) yield { key: `k${i}`, value: Buffer.from(value) };
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
    expect(await importing).toBe(2000);
    expect(begun).toEqual(['old', 'new']);
  });

  test('a refusal ends it with the number and key of the record that is refused, and is not tried again', async () => {
    const written: string[] = [];
    let calls = 0;
    const importing = importRecords(
      records(900),
      options({
        write: async (mutations) => {
          calls++;
          refuse(mutations, ['k612']);
          written.push(...keysOf(mutations));
          return result;
        },
      }),
    );
    await expect(importing).rejects.toThrow('record 613 (key "k612"): too long');
    await expect(importing).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { limit: 512, seen: 600 } });
    expect(calls).toBeLessThan(25);
    expect(written).toEqual(Array.from({ length: 612 }, (_, i) => `k${i}`));
  });

  test('with skipping, what is refused and what cannot be read is passed over by its number, and all else is written', async () => {
    async function* some(): AsyncGenerator<ImportRecord | UnreadImport> {
      for await (const record of records(1500)) {
        if (record.key === 'k7') yield { unread: new UsageError('record 8 has no "value"'), text: '{"key":"k7"}' };
        else yield record;
      }
      yield { unread: new UsageError('record 1501 is no object'), text: '[]' };
    }
    const bad = ['k0', 'k3', 'k999', 'k1000', 'k1499'];
    const [written, skipped, told] = [new Set<string>(), [] as SkippedRecord[], [] as number[]];
    const count = await importRecords(
      some(),
      options({
        write: async (mutations) => {
          refuse(mutations, bad);
          for (const key of keysOf(mutations)) written.add(key);
          return result;
        },
        skipped: async (record) => void skipped.push(record),
        advanced: async (done) => void told.push(done),
      }),
    );
    expect(count).toBe(1501);
    expect(told.at(-1)).toBe(1501);
    expect(written.size).toBe(1500 - bad.length - 1);
    const numbers = skipped.map(({ number, why }) => `${number} ${why.message}`);
    expect(numbers.sort()).toEqual(
      [
        ...['1 too long', '4 too long', '8 record 8 has no "value"', '1000 too long', '1001 too long'],
        ...['1500 too long', '1501 record 1501 is no object'],
      ].sort(),
    );
  });

  test('without skipping, what cannot be read ends it when what stands before is written', async () => {
    const written: string[] = [];
    const write = async (mutations: readonly BatchMutation[]) => {
      written.push(...keysOf(mutations));
      return result;
    };
    async function* some(): AsyncGenerator<ImportRecord | UnreadImport> {
      yield* records(3);
      yield { unread: new UsageError('record 4 is no object'), text: '[]' };
    }
    await expect(importRecords(some(), options({ write }))).rejects.toThrow('record 4 is no object');
    expect(written).toEqual(['k0', 'k1', 'k2']);
  });

  test('a failure ends it also while nothing more comes', async () => {
    async function* stuck(): AsyncGenerator<ImportRecord> {
      yield* records(1001);
      await new Promise(() => {});
    }
    const write = async () => {
      throw new MeridianError('DATA_LOSS', 'broken', { reason: 'test' });
    };
    await expect(importRecords(stuck(), options({ write }))).rejects.toThrow('broken');
  });

  test('a failure to note how far it came ends it', async () => {
    const advanced = async () => {
      throw new Error('disk full');
    };
    await expect(importRecords(records(10), options({ advanced }))).rejects.toThrow('disk full');
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
