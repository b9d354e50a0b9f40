import { describe, expect, it } from 'vitest';
import { parseNamespaceId, registryNamespace } from '../../src/model/namespace.ts';
import { nowhere } from '../../src/model/position.ts';
import type { LiveRecord } from '../../src/model/record.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import { MemoryCache } from '../../src/replication/memory-cache.ts';

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
    const cache = new MemoryCache(10_000, count);
    for (const name of ['a', 'b', 'c']) cache.set(name, entryOf(2500));
    cache.get('a');
    cache.set('d', entryOf(2500));
    expect(['a', 'b', 'c', 'd'].filter((name) => cache.has(name))).toEqual(['a', 'c', 'd']);
    expect(evicted).toBe(1);
    expect(cache.bytes).toBeLessThanOrEqual(10_000);
  });

  it('counts no peek as a use', () => {
    const cache = new MemoryCache(6000, () => {});
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
});
