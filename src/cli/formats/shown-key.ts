import { textOfUtf8 } from '../../model/text.ts';

/** A key of another store in a message: as JSON has it, or byte by byte where it is no UTF-8. */
export function shownKey(bytes: Uint8Array): string {
  const text = textOfUtf8(bytes);
  return text === undefined ? shownBytes(bytes) : JSON.stringify(text);
}

/** As redis-cli shows them: `"caf\xe9"`. In Latin-1, say, 0xff would look like a character of the key. */
export function shownBytes(bytes: Uint8Array): string {
  return `"${Array.from(bytes, shownByte).join('')}"`;
}

function shownByte(byte: number): string {
  const character = String.fromCharCode(byte);
  if (character === '"' || character === '\\') return `\\${character}`;
  const isPrintable = byte >= 0x20 && byte < 0x7f;
  return isPrintable ? character : `\\x${byte.toString(16).padStart(2, '0')}`;
}
