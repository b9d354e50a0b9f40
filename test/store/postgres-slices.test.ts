import { expect, it } from 'vitest';
import type { LiveHead } from '../../src/model/record.ts';
import { headOf } from '../../src/model/record.ts';
import { slicesOf } from '../../src/store/postgres/commit-slices.ts';
import { postgresDefaults } from '../../src/store/postgres/postgres-options.ts';
import { live, noise } from '../contract/sample-records.ts';

const large = 25 * 1024 * 1024;

it('a statement deletes about a hundred chunks at the most, however many large values go in one commit', () => {
  const head = headOf(live({ key: 'a', sequence: 1, value: noise(10, 1) })) as LiveHead;
  const removals = Array.from({ length: 50 }, (_, n) => ({ ...head, key: `k${n}`, valueBytes: large }));
  const slices = [...slicesOf({ puts: [], removals, meta: new Map(), sync: true }, () => false, postgresDefaults)];
  expect(slices.reduce((sum, slice) => sum + slice.gone.rows, 0)).toBe(50);
  expect(slices.reduce((sum, slice) => sum + slice.staleChunks.rows, 0)).toBe(50);
  for (const slice of slices) expect(slice.staleChunks.rows * 50).toBeLessThanOrEqual(100);
});

it('small records go together in one statement', () => {
  const puts = Array.from({ length: 1_000 }, (_, n) => ({
    record: live({ key: `k${n}`, sequence: n }),
    held: undefined,
  }));
  expect([
    ...slicesOf({ puts, removals: [], meta: new Map(), sync: true }, () => false, postgresDefaults),
  ]).toHaveLength(1);
});
