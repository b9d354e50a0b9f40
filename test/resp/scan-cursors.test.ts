import { describe, expect, it } from 'vitest';
import { ScanCursors } from '../../src/resp/scan-cursors.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const place = { namespace: 'config', prefix: '', cursor: 'c' };

describe('the cursors of scans', () => {
  it('of a caller who begins thousands take the place of his own, and of no other’s', () => {
    const cursors = new ScanCursors(new SeededRandom(1));
    const few = Array.from({ length: 100 }, () => cursors.add(place, undefined, 'one of few'));
    const many = Array.from({ length: 10_000 }, () => cursors.add(place, undefined, 'one of many'));
    expect(few.filter((number) => cursors.get(number) !== undefined)).toHaveLength(100);
    expect(many.map((number) => cursors.get(number) !== undefined)).toEqual([
      ...Array(10_000 - 3996).fill(false),
      ...Array(3996).fill(true),
    ]);
    const later = cursors.add(place, undefined, 'one of few');
    expect(cursors.get(later)).toMatchObject(place);
    expect(few.filter((number) => cursors.get(number) !== undefined)).toHaveLength(100);
  });

  it('of a scan that goes on are two: where it is, and where it was', () => {
    const cursors = new ScanCursors(new SeededRandom(1));
    const numbers: string[] = [];
    for (let n = 0; n < 10_000; n++) numbers.push(cursors.add(place, numbers.at(-1), `share ${n % 3}`));
    expect(numbers.filter((number) => cursors.get(number) !== undefined)).toEqual(numbers.slice(-2));
  });
});
