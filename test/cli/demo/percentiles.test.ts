import { describe, expect, it } from 'vitest';
import { percentilesOf } from '../../../src/cli/demo/percentiles.ts';

describe('percentiles', () => {
  it('are taken by nearest rank, in any order of what was measured', () => {
    const elapsed = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(percentilesOf(elapsed)).toEqual({ count: 100, p50Ms: 50, p99Ms: 99 });
  });

  it('of one are that one', () => {
    expect(percentilesOf([7])).toEqual({ count: 1, p50Ms: 7, p99Ms: 7 });
  });

  it('of nothing are unknown, not 0', () => {
    expect(percentilesOf([])).toBeUndefined();
  });
});
