import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { brokenByteAt, checkText, strictText, textOfUtf8 } from '../../src/model/text.ts';

const nearUtf8 = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 3 }).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 2 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom([0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]).map(Buffer.from),
    ),
    { maxLength: 6 },
  )
  .map((parts) => Buffer.concat(parts));

describe('text as UTF-8', () => {
  it('is refused for exactly those bytes that Node says are none', () => {
    fc.assert(
      fc.property(nearUtf8, (bytes) => {
        expect(textOfUtf8(bytes) !== undefined).toBe(isUtf8(bytes));
        expect(brokenByteAt(bytes) === undefined).toBe(isUtf8(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it('is broken at the first byte behind the longest part that is sound', () => {
    fc.assert(
      fc.property(nearUtf8, (bytes) => {
        const at = brokenByteAt(bytes);
        fc.pre(at !== undefined);
        const longest = [...bytes.keys()].filter((length) => isUtf8(bytes.subarray(0, length))).at(-1);
        expect(at).toBe(longest);
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps a byte order mark and a U+FFFD that stands there by right', () => {
    expect(textOfUtf8(Buffer.from('\ufeffa\ufffd'))).toBe('\ufeffa\ufffd');
  });

  it('is refused with what it is and the byte', () => {
    expect(() => strictText(Buffer.from('caf\xe9', 'latin1'), 'the key')).toThrow(
      'the key is no UTF-8: byte 4 is 0xe9',
    );
  });

  it.each([
    ['u:\ud83d', 'its UTF-16 unit 3 is a lone surrogate (\\ud83d)'],
    ['😀\udc00', 'its UTF-16 unit 3 is a lone surrogate (\\udc00)'],
  ])('is refused for %j', (text, complaint) => {
    expect(() => checkText(text, 'a key')).toThrow(complaint);
  });

  it('may have whole pairs', () => {
    expect(() => checkText('😀\ufffd', 'a key')).not.toThrow();
  });
});
