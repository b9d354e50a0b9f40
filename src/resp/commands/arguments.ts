import { checkKey } from '../../model/key.ts';
import { strictText } from '../../model/text.ts';
import { notAnInteger } from '../resp-error.ts';

/** @throws INVALID_ARGUMENT where it is no UTF-8, or no key */
export function keyOf(bytes: Buffer | undefined): string {
  const key = strictText(bytes ?? Buffer.alloc(0), 'a key');
  checkKey(key);
  return key;
}

/** Bytes of an option's word; what is longer is none. */
const wordBytesMax = 64;

/** An option's word, in capitals. */
export function wordOf(bytes: Buffer | undefined): string {
  return bytes === undefined ? '' : bytes.toString('latin1', 0, wordBytesMax + 1).toUpperCase();
}

/** Bytes of Redis' integers. @throws RespError where it is none, or is not exact as a number here */
export function integerOf(bytes: Buffer | undefined): number {
  const text = bytes?.toString('latin1') ?? '';
  const value = /^(0|-?[1-9]\d{0,18})$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw notAnInteger();
  return value;
}
