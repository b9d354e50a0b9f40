import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exactJson, losesDigits, partsOf } from '../../src/model/json-text.ts';

const spaced = (value: unknown) => JSON.stringify(value, null, '\t');

describe('JSON as text', () => {
  it('is what JSON.stringify writes where no number loses digits', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(exactJson(spaced(value))).toBe(JSON.stringify(value));
        expect(losesDigits(spaced(value))).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('is taken apart into what JSON.parse finds in it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue())), (value) => {
        const parts = partsOf(spaced(value)).map(({ name, text }) => [name, JSON.parse(text)]);
        expect(parts).toEqual(Object.entries(JSON.parse(JSON.stringify(value))));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    '12345678901234567890',
    '9007199254740993',
    '-9007199254740993',
    '{"a":[0.12345678901234567890]}',
    '1e400',
    '{"a":1e-400}',
    '123456789012345678e1',
  ])('loses digits of %s', (text) => {
    expect(losesDigits(text)).toBe(true);
    expect(exactJson(text)).toBe(text);
  });

  it.each(['9007199254740992', '1e21', '1.50E+3', '0.1', '-0.0', '"12345678901234567890"', '10000000000000000000000'])(
    'loses no digits of %s',
    (text) => {
      expect(losesDigits(text)).toBe(false);
    },
  );

  it('writes strings as JSON.stringify does, and takes white space away', () => {
    expect(exactJson('{ "\\u00fc" : "\\/\\ud800" ,\n"n" : 1.0 }')).toBe('{"ü":"/\\ud800","n":1.0}');
  });

  it('reads a string of megabytes', () => {
    const text = JSON.stringify({ long: 'x\n'.repeat(4_000_000), n: 1 });
    expect(exactJson(text)).toBe(text);
  });
});
