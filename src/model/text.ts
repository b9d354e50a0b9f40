import { MeridianError } from './errors.ts';

/**
 * Text that is not UTF-8 must be refused, never repaired: each broken character becomes U+FFFD, so that different keys
 * become one. Node repairs silently, on its way in (bytes → string) and out (lone surrogates → bytes).
 */

/** The text that these bytes are in UTF-8, with any byte order mark; undefined if they are not UTF-8. */
export function textOfUtf8(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  // U+FFFD may be there rightly, so its presence alone proves nothing.
  return text.includes('\ufffd') && brokenByteAt(bytes) !== undefined ? undefined : text;
}

/**
 * The same; refuses bytes that are not UTF-8 and names what is broken and where.
 * @throws INVALID_ARGUMENT, reason `not-utf8`; `seen` is the byte's place, counted from 0
 */
export function strictText(bytes: Uint8Array, what: string): string {
  const text = textOfUtf8(bytes);
  if (text !== undefined) return text;
  const at = brokenByteAt(bytes) ?? 0;
  throw new MeridianError('INVALID_ARGUMENT', `${what} is no UTF-8: ${describeByte(bytes[at], at)}`, {
    reason: 'not-utf8',
    seen: at,
  });
}

/** `byte 3 is 0xff`, counted from 1; `at` counts from 0. */
export function describeByte(byte: number | undefined, at: number): string {
  return `byte ${at + 1} is 0x${(byte ?? 0).toString(16).padStart(2, '0')}`;
}

/**
 * Refuses text with a lone surrogate, such as half an emoji that `slice` cut: it has no UTF-8.
 * @throws INVALID_ARGUMENT, by default with the reason `not-utf8`; `seen` is the UTF-16 unit's place, counted from 0
 */
export function checkText(text: string, what: string, reason = 'not-utf8'): void {
  if (text.isWellFormed()) return;
  const at = loneSurrogateAt(text);
  const unit = text.charCodeAt(at).toString(16);
  throw new MeridianError(
    'INVALID_ARGUMENT',
    `${what} is no UTF-8 text: its UTF-16 unit ${at + 1} is a lone surrogate (\\u${unit})`,
    { reason, seen: at },
  );
}

function loneSurrogateAt(text: string): number {
  for (let i = 0; i < text.length; i++) {
    // A code point beyond U+FFFF is a whole pair of two units.
    const point = text.codePointAt(i) ?? 0;
    if (point > 0xffff) i++;
    else if (point >= 0xd800 && point <= 0xdfff) return i;
  }
  return 0;
}

/** The first byte of the first sequence that is not UTF-8 (Unicode, table 3-7), counted from 0; undefined if all is. */
export function brokenByteAt(bytes: Uint8Array): number | undefined {
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceBytes(bytes, at);
    if (length === undefined) return at;
    at += length;
  }
  return undefined;
}

function sequenceBytes(bytes: Uint8Array, at: number): number | undefined {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const [length, least, most] = shapeOf(first);
  if (length === 0) return undefined;
  for (let i = 1; i < length; i++) {
    const byte = bytes[at + i];
    const [low, high] = i === 1 ? [least, most] : [0x80, 0xbf];
    if (byte === undefined || byte < low || byte > high) return undefined;
  }
  return length;
}

/** Bytes of a sequence with this first byte, and bounds of its second: no overlong forms, no surrogates, ≤ U+10FFFF. */
function shapeOf(first: number): readonly [number, number, number] {
  if (first < 0xc2 || first > 0xf4) return [0, 0, 0];
  if (first < 0xe0) return [2, 0x80, 0xbf];
  if (first < 0xf0) return [3, first === 0xe0 ? 0xa0 : 0x80, first === 0xed ? 0x9f : 0xbf];
  return [4, first === 0xf0 ? 0x90 : 0x80, first === 0xf4 ? 0x8f : 0xbf];
}
