import { expect, it } from 'vitest';
import { systemRandom } from '../../src/runtime/random.ts';

it('draws fractions from 0 up to and without 1, each anew', () => {
  const drawn = Array.from({ length: 5000 }, () => systemRandom.fraction());
  expect(drawn.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true);
  // Of 2^32 that there are: three alike among 5,000 come once in a billion runs.
  expect(new Set(drawn).size).toBeGreaterThan(4990);
  const mean = drawn.reduce((sum, fraction) => sum + fraction) / drawn.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.03);
});
