import { MeridianError } from './errors.ts';
import { limits } from './limits.ts';
import type { NamespaceId } from './namespace.ts';
import { checkText } from './text.ts';

/** Names one record of the cluster. */
export interface RecordKey {
  readonly namespace: NamespaceId;
  readonly key: string;
}

/** Throws INVALID_ARGUMENT unless the key has 1 to 512 bytes of well-formed UTF-8 and is neither `.` nor `..`. */
export function checkKey(key: string): void {
  // Fast path: at most three UTF-8 bytes a UTF-16 unit, so a short key cannot be too long.
  const bytes = key.length * 3 <= limits.keyBytesMax ? key.length : Buffer.byteLength(key);
  if (bytes === 0) throw new MeridianError('INVALID_ARGUMENT', 'a key must not be empty', { reason: 'key-empty' });
  if (bytes > limits.keyBytesMax) {
    throw new MeridianError(
      'INVALID_ARGUMENT',
      `a key has at most ${limits.keyBytesMax} bytes of UTF-8; this one has ${bytes}`,
      { reason: 'key-too-long', limit: limits.keyBytesMax, seen: bytes },
    );
  }
  if (key === '.' || key === '..') {
    throw new MeridianError('INVALID_ARGUMENT', `a key must not be "${key}"`, { reason: 'key-illegal' });
  }
  checkText(key, 'a key', 'key-not-utf8');
}

/** Whether `checkKey` takes it. */
export function isKey(key: string): boolean {
  try {
    checkKey(key);
    return true;
  } catch {
    return false;
  }
}

/**
 * Orders keys by their UTF-8 bytes. UTF-16 order, that of `<`, differs where one side has a character beyond U+FFFF
 * (units D800 to DFFF) and the other one from U+E000 to U+FFFF.
 */
export function compareKeys(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return utf8Rank(x) - utf8Rank(y);
  }
  return a.length - b.length;
}

export function compareRecordKeys(a: RecordKey, b: RecordKey): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  return compareKeys(a.key, b.key);
}

function utf8Rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

/** One string for one record key, for use in maps: an id has a fixed length. */
export function mapKey(namespace: NamespaceId, key: string): string {
  return namespace + key;
}

const idLength = 32;

/** What `mapKey` made one string of. */
export function splitMapKey(name: string): RecordKey {
  return { namespace: name.slice(0, idLength) as NamespaceId, key: name.slice(idLength) };
}
