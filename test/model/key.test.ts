import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isMeridianError } from '../../src/model/errors.ts';
import { checkKey, compareKeys, compareRecordKeys, mapKey } from '../../src/model/key.ts';
import { anyNamespace, anyText } from './arbitraries.ts';

function refusal(key: string): unknown {
  try {
    checkKey(key);
    return undefined;
  } catch (error) {
    return isMeridianError(error, 'INVALID_ARGUMENT') ? error.details.reason : error;
  }
}

describe('keys', () => {
  it('are ordered by their UTF-8 bytes', () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
      }),
      { numRuns: 1000 },
    );
  });

  it('are ordered by their UTF-8 bytes where UTF-16 would order them otherwise', () => {
    expect('\u{10000}' < '\uffff').toBe(true);
    expect(compareKeys('\u{10000}', '\uffff')).toBeGreaterThan(0);
    expect(compareKeys('a\ue000', 'a\u{1f600}')).toBeLessThan(0);
  });

  it('are ordered by namespace before all', () => {
    fc.assert(
      fc.property(anyNamespace, anyNamespace, anyText, anyText, (m, n, a, b) => {
        const bytes = (namespace: string, key: string) =>
          Buffer.concat([Buffer.from(namespace, 'hex'), Buffer.from(key)]);
        const order = Math.sign(compareRecordKeys({ namespace: m, key: a }, { namespace: n, key: b }));
        expect(order).toBe(Math.sign(Buffer.compare(bytes(m, a), bytes(n, b))));
        expect(order === 0).toBe(mapKey(m, a) === mapKey(n, b));
      }),
    );
  });

  it('have 1 to 512 bytes of UTF-8, whatever their characters', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 0, max: 600 }), (text, padding) => {
        const key = text + 'x'.repeat(padding);
        fc.pre(key !== '.' && key !== '..');
        const bytes = Buffer.byteLength(key);
        expect(refusal(key)).toBe(bytes === 0 ? 'key-empty' : bytes > 512 ? 'key-too-long' : undefined);
      }),
    );
    expect(refusal('x'.repeat(512))).toBeUndefined();
    expect(refusal('x'.repeat(513))).toBe('key-too-long');
    expect(refusal('€'.repeat(170))).toBeUndefined();
    expect(refusal('€'.repeat(171))).toBe('key-too-long');
  });

  it('are neither a dot nor two, and have no lone surrogate', () => {
    expect(['.', '..', '...', './', '\ud800', 'a\udc00b'].map(refusal)).toEqual([
      'key-illegal',
      'key-illegal',
      undefined,
      undefined,
      'key-not-utf8',
      'key-not-utf8',
    ]);
  });
});
