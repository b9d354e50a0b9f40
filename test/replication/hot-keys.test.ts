import { describe, expect, it } from 'vitest';
import type { NamespaceId } from '../../src/model/namespace.ts';
import { HotKeys } from '../../src/replication/hot-keys.ts';
import { FakeClock } from '../edge/fake-clock.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const namespace = 'a'.repeat(32) as NamespaceId;
const titleOf = () => 'config';

function counting() {
  const clock = new FakeClock();
  const random = new SeededRandom(7);
  return { clock, random, hotKeys: new HotKeys({ clock, random }) };
}

describe('hot keys', () => {
  it('are counted one by one while there are few, each namespace apart, the hottest first', () => {
    const { hotKeys } = counting();
    const other = 'b'.repeat(32) as NamespaceId;
    for (let i = 0; i < 30; i++) hotKeys.read(namespace, 'k');
    for (let i = 0; i < 20; i++) hotKeys.read(other, 'k');
    hotKeys.read(namespace, 'once');
    expect(hotKeys.top((id) => (id === namespace ? 'config' : undefined))).toEqual([
      { namespace, title: 'config', key: 'k', reads: 30, error: 0 },
      { namespace: other, title: '', key: 'k', reads: 20, error: 0 },
      { namespace, title: 'config', key: 'once', reads: 1, error: 0 },
    ]);
  });

  it('are those of the last minute', () => {
    const { clock, hotKeys } = counting();
    for (let second = 0; second < 60; second++) {
      hotKeys.read(namespace, 'always');
      if (second < 5) hotKeys.read(namespace, 'early');
      clock.advance(1000);
    }
    const reads = (key: string) => hotKeys.top(titleOf).find((one) => one.key === key)?.reads;
    expect(reads('always')).toBeGreaterThanOrEqual(50);
    clock.advance(15_000);
    expect(reads('early')).toBeUndefined();
    expect(reads('always')).toBeGreaterThanOrEqual(30);
    clock.advance(60_000);
    expect(hotKeys.top(titleOf)).toEqual([]);
  });

  it('are estimated from samples where there are many, among any number of cold ones, which are not shown', () => {
    const { random, hotKeys } = counting();
    const reads = 2_000_000;
    let hot = 0;
    for (let i = 0; i < reads; i++) {
      const isHot = random.fraction() < 0.1;
      if (isHot) hot++;
      hotKeys.read(namespace, isHot ? 'hot' : `cold ${Math.floor(random.fraction() * 100_000)}`);
    }
    const [first, ...others] = hotKeys.top(titleOf);
    expect(first?.key).toBe('hot');
    // Three standard deviations of what some 30,000 samples tell, and the sketch's own error.
    expect(Math.abs((first?.reads ?? 0) - hot)).toBeLessThan(hot * 0.1 + (first?.error ?? 0));
    expect(first?.error).toBeLessThanOrEqual(reads / 100);
    expect(others).toEqual([]);
  });

  it('hide in no pattern of reads', () => {
    const { hotKeys } = counting();
    for (let i = 0; i < 1_000_000; i++) hotKeys.read(namespace, `k${i % 4}`);
    const top = hotKeys.top(titleOf);
    expect(top.map(({ key }) => key).sort()).toEqual(['k0', 'k1', 'k2', 'k3']);
    for (const { reads } of top) expect(Math.abs(reads - 250_000)).toBeLessThan(25_000);
  });

  it('are seen again soon after a burst that made samples rare', () => {
    const { clock, hotKeys } = counting();
    for (let i = 0; i < 5_000_000; i++) hotKeys.read(namespace, 'burst');
    // As a node's health does, each second.
    for (let second = 0; second < 120; second++) {
      clock.advance(1000);
      hotKeys.top(titleOf);
    }
    for (let i = 0; i < 100; i++) hotKeys.read(namespace, 'quiet');
    expect(hotKeys.top(titleOf)).toMatchObject([{ key: 'quiet' }]);
  });
});
