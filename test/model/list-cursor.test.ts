import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isMeridianError } from '../../src/model/errors.ts';
import { decodeListCursor, encodeListCursor } from '../../src/model/list-cursor.ts';
import type { NamespaceId } from '../../src/model/namespace.ts';
import { anyNamespace, anyText } from './arbitraries.ts';

const anyKey = anyText.filter((text) => text !== '' && text !== '.' && text !== '..');

function refused(cursor: string, namespace: NamespaceId, prefix: string): boolean {
  try {
    decodeListCursor(cursor, namespace, prefix);
    return false;
  } catch (error) {
    return isMeridianError(error, 'INVALID_ARGUMENT') && error.details.reason === 'bad-cursor';
  }
}

describe("a list's cursor", () => {
  it('says behind which key to go on, whatever its characters', () => {
    fc.assert(
      fc.property(anyNamespace, anyText, anyKey, (namespace, prefix, key) => {
        expect(decodeListCursor(encodeListCursor(namespace, prefix, key), namespace, prefix)).toBe(key);
      }),
    );
  });

  it('is safe in a URL', () => {
    fc.assert(
      fc.property(anyNamespace, anyText, anyKey, (namespace, prefix, key) => {
        expect(encodeListCursor(namespace, prefix, key)).toMatch(/^[\w-]+$/);
      }),
    );
  });

  it("is refused at another namespace's list, or another prefix's", () => {
    fc.assert(
      fc.property(anyNamespace, anyNamespace, anyText, anyText, anyKey, (m, n, p, q, key) => {
        expect(refused(encodeListCursor(m, p, key), n, q)).toBe(m !== n || p !== q);
      }),
    );
  });

  it('is refused where it is garbage, cut short, or names a key that cannot be', () => {
    fc.assert(
      fc.property(fc.string(), anyNamespace, anyText, (garbage, namespace, prefix) => {
        expect(refused(garbage, namespace, prefix)).toBe(true);
      }),
    );
    fc.assert(
      fc.property(anyNamespace, anyKey, fc.double({ min: 0, max: 0.9, noNaN: true }), (namespace, key, share) => {
        const cursor = encodeListCursor(namespace, '', key);
        expect(refused(cursor.slice(0, Math.floor(cursor.length * share)), namespace, '')).toBe(true);
      }),
    );
    const namespace = 'a'.repeat(32) as NamespaceId;
    for (const key of ['', '.', 'x'.repeat(513)])
      expect(refused(encodeListCursor(namespace, '', key), namespace, '')).toBe(true);
  });
});
