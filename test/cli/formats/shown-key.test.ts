import { expect, test } from 'vitest';
import { shownKey } from '../../../src/cli/formats/shown-key.ts';

test.each([
  [Buffer.from('café "x"'), '"café \\"x\\""'],
  [Buffer.of(0xff), '"\\xff"'],
  [Buffer.from('a"\\\xe9\n', 'latin1'), '"a\\"\\\\\\xe9\\x0a"'],
])('a key is shown as JSON has it, or byte by byte: %#', (key, shown) => {
  expect(shownKey(key)).toBe(shown);
});
