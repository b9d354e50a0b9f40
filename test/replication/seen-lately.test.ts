import { expect, it } from 'vitest';
import { SeenLately } from '../../src/replication/seen-lately.ts';

const names = (count: number, of: string) => Array.from({ length: count }, (_, n) => `${of}/${n}`);

it('knows a name from its second time on, until about as many others have come as there are places', () => {
  const seen = new SeenLately(1000);
  const count = (all: readonly string[]) => all.filter((name) => seen.note(name)).length;
  expect(count(names(100, 'a'))).toBe(0);
  // Some of them had the same place.
  expect(count(names(100, 'a'))).toBeGreaterThan(85);
  count(names(10_000, 'b'));
  expect(count(names(100, 'a'))).toBeLessThan(5);
});

it('takes few strangers for known', () => {
  const seen = new SeenLately(64 * 1024);
  expect(names(100_000, 'stranger').filter((name) => seen.note(name)).length).toBeLessThan(30);
});
