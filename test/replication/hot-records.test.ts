import { describe, expect, it } from 'vitest';
import { mapKey } from '../../src/model/key.ts';
import { parseNamespaceId, registryNamespace } from '../../src/model/namespace.ts';
import { nowhere } from '../../src/model/position.ts';
import type { LiveRecord, Record } from '../../src/model/record.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import { HotRecords } from '../../src/replication/hot-records.ts';

const namespace = parseNamespaceId('a'.repeat(32)) ?? registryNamespace;
const key = { namespace, key: 'k' };
const name = mapKey(namespace, 'k');

function valued(value: string): LiveRecord {
  return { kind: 'live', ...key, stamp: bottomStamp, position: nowhere, value: Buffer.from(value) };
}

/** A disk whose looks end when the test says so. */
class SlowDisk {
  readonly looks: Array<{ found(record: Record | undefined): void; fail(error: Error): void }> = [];

  read(): Promise<Record | undefined> {
    return new Promise((found, fail) => this.looks.push({ found, fail }));
  }
}

function hotOver(bytesMax = 10_000): { readonly disk: SlowDisk; readonly hot: HotRecords } {
  const disk = new SlowDisk();
  return { disk, hot: new HotRecords(disk, bytesMax) };
}

const textOf = (record: Record | undefined): string | undefined =>
  record?.kind === 'live' ? Buffer.from(record.value).toString() : undefined;

describe('hot records', () => {
  it('ask the disk once for many who read a key at the same time, and then no more', async () => {
    const { disk, hot } = hotOver();
    const reads = [hot.read(key), hot.read(key), hot.read(key)];
    expect(disk.looks).toHaveLength(1);
    disk.looks[0]?.found(valued('1'));
    expect((await Promise.all(reads)).map(textOf)).toEqual(['1', '1', '1']);
    expect(textOf(hot.peek(key)?.record)).toBe('1');
    expect(textOf(await hot.read(key))).toBe('1');
    expect(disk.looks).toHaveLength(1);
  });

  it('keep what is read once in half of the memory alone, and what is read twice in all of it', async () => {
    const bytesMax = 100_000;
    const hot = new HotRecords({ read: async ({ key: k }) => ({ ...valued('v'.repeat(100)), key: k }) }, bytesMax);
    const readAll = async (...keys: string[]) => {
      for (const k of keys) await hot.read({ namespace, key: k });
    };
    await readAll('first');
    await readAll(...Array.from({ length: 1000 }, (_, n) => `scanned/${n}`));
    expect(hot.bytes).toBeGreaterThan(bytesMax / 2);
    expect(hot.bytes).toBeLessThan(bytesMax / 2 + 2000);
    const isHeld = (k: string) => hot.peek({ namespace, key: k }) !== undefined;
    expect([isHeld('first'), isHeld('scanned/999')]).toEqual([true, false]);
    await readAll('hot');
    expect(isHeld('hot')).toBe(false);
    await readAll('hot');
    expect(isHeld('hot')).toBe(true);
    for (let round = 0; round < 3; round++) await readAll(...Array.from({ length: 60 }, (_, n) => `again/${n}`));
    expect(isHeld('again/0')).toBe(true);
    expect(hot.bytes).toBeLessThanOrEqual(bytesMax);
    expect(hot.bytes).toBeGreaterThan(bytesMax * 0.9);
  });

  it('look at the disk on the spot where that can be, and keep what they saw until a commit changes it', () => {
    let looks = 0;
    const found = { record: valued('1') };
    const readNow = () => {
      looks++;
      return found;
    };
    const disk = { read: () => Promise.reject(new Error('was awaited')), readNow };
    const hot = new HotRecords(disk, 10_000);
    expect(hot.peek(key)).toBeUndefined();
    expect(hot.look(key)).toBe(found);
    expect(textOf(hot.peek(key)?.record)).toBe('1');
    expect(looks).toBe(1);
    hot.put(name, valued('2'));
    expect(textOf(hot.peek(key)?.record)).toBe('2');
    hot.remove(name);
    expect(hot.peek(key)).toBeUndefined();
    expect(new HotRecords(disk, 0).look(key)).toBe(found);
    expect(new HotRecords(new SlowDisk(), 10_000).look(key)).toBeUndefined();
  });

  it('know an absence, until a commit puts the key', async () => {
    const { disk, hot } = hotOver();
    const reading = hot.read(key);
    disk.looks[0]?.found(undefined);
    await reading;
    expect(hot.peek(key)).toEqual({ record: undefined });
    hot.put(name, valued('1'));
    expect(textOf(hot.peek(key)?.record)).toBe('1');
    hot.remove(name);
    expect(hot.peek(key)).toBeUndefined();
  });

  it('keep nothing of a look that a commit overtook, and let nobody who comes later wait for it', async () => {
    const { disk, hot } = hotOver();
    const before = hot.read(key);
    hot.put(name, valued('2'));
    const after = hot.read(key);
    expect(disk.looks).toHaveLength(2);
    disk.looks[0]?.found(valued('1'));
    expect(textOf(await before)).toBe('1');
    expect(hot.peek(key)).toBeUndefined();
    disk.looks[1]?.found(valued('2'));
    expect(textOf(await after)).toBe('2');
    expect(textOf(hot.peek(key)?.record)).toBe('2');
  });

  it('keep nothing of a look that began before the store was opened again', async () => {
    const { disk, hot } = hotOver();
    const before = hot.read(key);
    hot.clear();
    disk.looks[0]?.found(valued('1'));
    expect(textOf(await before)).toBe('1');
    expect(hot.peek(key)).toBeUndefined();
  });

  it('pass on what a look failed with, and look again', async () => {
    const { disk, hot } = hotOver();
    const failing = hot.read(key);
    disk.looks[0]?.fail(new Error('damaged'));
    await expect(failing).rejects.toThrow('damaged');
    void hot.read(key);
    expect(disk.looks).toHaveLength(2);
  });

  it('are none where they have no room', async () => {
    const { disk, hot } = hotOver(0);
    const reading = hot.read(key);
    disk.looks[0]?.found(valued('1'));
    await reading;
    expect(hot.peek(key)).toBeUndefined();
    expect(hot.bytes).toBe(0);
  });
});
