import { expect, it } from 'vitest';
import { ValueSizes } from '../../src/runtime/value-sizes.ts';

const sizes = () => new ValueSizes({ largeBytesMin: 1000, unknownBytes: 4000, namesMax: 10 });

it('remembers no small value of a namespace that shows small ones alone, also where others were remembered before', () => {
  const known = sizes();
  for (let n = 0; known.expected('n') > 0; n++) known.note('n', `first${n}`, 10);
  known.note('n', 'k', 10);
  expect(known.known('n', 'k')).toBe(undefined);
  known.note('n', 'large', 2000);
  expect([known.expected('n'), known.known('n', 'large')]).toEqual([2000, 2000]);
  known.note('n', 'k', 10);
  expect(known.known('n', 'k')).toBe(10);
});

it('remembers that a value which was large once is small now', () => {
  const known = sizes();
  known.note('n', 'k', 2000);
  while (known.expected('n') > 0) known.note('n', 'other', 10);
  known.note('n', 'k', 20);
  expect(known.known('n', 'k')).toBe(20);
});
