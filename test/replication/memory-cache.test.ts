import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { parseNamespaceId, registryNamespace } from '../../src/model/namespace.ts';
import { nowhere } from '../../src/model/position.ts';
import type { LiveRecord } from '../../src/model/record.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import { bytesOf, MemoryCache } from '../../src/replication/memory-cache.ts';

const namespace = parseNamespaceId('a'.repeat(32)) ?? registryNamespace;

function entryOf(bytes: number): { record: LiveRecord } {
  return {
    record: {
      kind: 'live',
      namespace,
      key: 'k',
      stamp: bottomStamp,
      position: nowhere,
      value: new Uint8Array(bytes),
    },
  };
}

describe('the memory cache', () => {
  it('lets the least recently used entries go, and no more than it must', () => {
    let evicted = 0;
    const count = (n: number) => {
      evicted += n;
    };
    const cache = new MemoryCache(11_000, count);
    for (const name of ['a', 'b', 'c']) cache.set(name, entryOf(2500));
    cache.get('a');
    cache.set('d', entryOf(2500));
    expect(['a', 'b', 'c', 'd'].filter((name) => cache.has(name))).toEqual(['a', 'c', 'd']);
    expect(evicted).toBe(1);
    expect(cache.bytes).toBeLessThanOrEqual(11_000);
  });

  it('counts no peek as a use', () => {
    const cache = new MemoryCache(7000, () => {});
    cache.set('a', entryOf(2500));
    cache.set('b', entryOf(2500));
    cache.peek('a');
    cache.set('c', entryOf(2500));
    expect(cache.has('a')).toBe(false);
  });

  it('takes no entry that is larger than all of it, and drops the one it replaces', () => {
    const cache = new MemoryCache(1000, () => {});
    cache.set('a', entryOf(10));
    cache.set('a', entryOf(5000));
    expect(cache.has('a')).toBe(false);
    expect(cache.bytes).toBe(0);
  });

  it('finds the oldest without passing those that went before: a Map would be asked for it from its beginning', () => {
    const cache = new MemoryCache(100_000, () => {});
    const iterations = [Symbol.iterator, 'entries', 'keys', 'values', 'forEach'].map((name) => {
      return vi.spyOn(Map.prototype, name as 'entries');
    });
    for (let n = 0; n < 10_000; n++) {
      cache.set(`k${n}`, entryOf(n % 300));
      cache.get(`k${n - (n % 7)}`);
    }
    const counts = iterations.map((spy) => spy.mock.calls.length);
    for (const spy of iterations) spy.mockRestore();
    expect(counts).toEqual([0, 0, 0, 0, 0]);
  });

  it('keeps what it counts, in the order of use, whatever comes and goes (a model of lists)', () => {
    const names = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
    const step = fc.record({ name: names, act: fc.constantFrom('set', 'get', 'delete'), bytes: fc.nat(1500) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const cache = new MemoryCache(4000, () => {});
        let model: Array<{ name: string; bytes: number; used: boolean }> = [];
        for (const { name, act, bytes } of steps) {
          if (act === 'get') {
            for (const one of model) if (one.name === name) one.used = true;
            cache.get(name);
            continue;
          }
          model = model.filter((one) => one.name !== name);
          if (act === 'delete') {
            cache.delete(name);
            continue;
          }
          const entry = entryOf(bytes);
          cache.set(name, entry);
          const size = bytesOf(name, entry.record);
          model.push({ name, bytes: size, used: false });
          const total = () => model.reduce((sum, one) => sum + one.bytes, 0);
          while (total() > 4000) {
            const [oldest] = model.splice(0, 1);
            if (oldest?.used || oldest?.name === name) model.push({ ...oldest, used: false });
          }
        }
        const held = ['a', 'b', 'c', 'd', 'e', 'f'].filter((name) => cache.has(name));
        expect(held).toEqual(model.map(({ name }) => name).sort());
        expect([cache.size, cache.bytes]).toEqual([model.length, model.reduce((sum, { bytes }) => sum + bytes, 0)]);
      }),
    );
  });
});
