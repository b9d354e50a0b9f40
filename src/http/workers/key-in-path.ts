import { limits } from '../../model/limits.ts';
import { Refusal } from './refusal.ts';
import { jsonOf } from './scalar-text.ts';
import { checkedText } from './text-in.ts';

/** Bytes of one UTF-16 unit in UTF-8, at the most. */
const utf8BytesMax = 3;

/** The key that a percent-encoded path segment spells, checked. @throws Refusal in the original's words */
export function decodeKey(encoded: string): string {
  if (!encoded.includes('%')) return checkedKey(encoded);
  let key: string;
  try {
    key = decodeURIComponent(encoded);
  } catch {
    throw new Refusal(400, 'Could not URL-decode key name');
  }
  return checkedKey(key);
}

/** A key of JSON, checked. @throws Refusal, for what is no string too */
export function keyInJson(key: unknown): string {
  if (typeof key !== 'string') throw new Refusal(400, `Key names must be strings, not ${jsonOf(key)}`);
  return checkedKey(key);
}

/** The key itself where it keeps the original's rules. @throws Refusal */
export function checkedKey(key: string): string {
  if (key === '') throw new Refusal(400, 'Key names must not be empty');
  if (key === '.' || key === '..') throw new Refusal(400, `Illegal key name "${key}". Please use a different name.`);
  return checkedPrefix(checkedText(key, 'a key'));
}

/** The prefix of keys itself where it is no longer than a key may be. @throws Refusal */
export function checkedPrefix(prefix: string): string {
  if (prefix.length <= limits.keyBytesMax / utf8BytesMax) return prefix;
  const bytes = Buffer.byteLength(prefix);
  if (bytes > limits.keyBytesMax) {
    throw new Refusal(414, `UTF-8 encoded length of ${bytes} exceeds key length limit of ${limits.keyBytesMax}.`);
  }
  return prefix;
}
