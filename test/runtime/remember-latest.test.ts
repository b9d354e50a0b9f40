import { expect, it } from 'vitest';
import { rememberLatest } from '../../src/runtime/remember-latest.ts';

it('remembers the latest within its bound, and forgets those that were set longest ago, a sixteenth at once', () => {
  const map = new Map<number, string>();
  const set = (key: number) => rememberLatest(map, key, `v${key}`, 32);
  for (let key = 0; key < 32; key++) set(key);
  set(0);
  expect(map.size).toBe(32);
  set(32);
  expect([...map.keys()]).toEqual([...Array.from({ length: 28 }, (_, n) => n + 4), 0, 32]);
  set(33);
  set(34);
  expect([map.size, map.get(4)]).toEqual([32, 'v4']);
});

it('holds to a small bound', () => {
  const map = new Map<number, number>();
  for (let key = 0; key < 9; key++) {
    rememberLatest(map, key, key, 1);
    expect([...map.keys()]).toEqual([key]);
  }
});
