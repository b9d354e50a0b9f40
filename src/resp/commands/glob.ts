import { brokenByteAt } from '../../model/text.ts';

/** What a character of a pattern matches; `*` matches any number of any. */
type Part = '*' | ((byte: number) => boolean);

const [asterisk, question, openBracket, closeBracket, backslash, caret, dash] = [
  0x2a, 0x3f, 0x5b, 0x5d, 0x5c, 0x5e, 0x2d,
];

export interface Glob {
  /** The text that every key that matches begins with: as much of the pattern's beginning as is whole UTF-8. */
  readonly prefix: string;
  /** True where nothing but the prefix is asked for. */
  readonly isPrefixAlone: boolean;
  /** Steps that it takes at the most to look at one byte of a key. */
  readonly partsMax: number;
  matches(key: string): boolean;
}

/** A pattern as Redis matches it: byte by byte, with `*`, `?`, `[a-z]`, `[^a]` and `\` before what stands for itself. */
export function parseGlob(pattern: Uint8Array): Glob {
  const parts: Part[] = [];
  const literal: number[] = [];
  let isLiteral = true;
  for (let at = 0; at < pattern.length; ) {
    const byte = pattern[at] ?? 0;
    if (byte === asterisk) {
      isLiteral = false;
      if (parts.at(-1) !== '*') parts.push('*');
      at++;
    } else if (byte === question) {
      isLiteral = false;
      parts.push(() => true);
      at++;
    } else if (byte === openBracket) {
      isLiteral = false;
      const { matches, end } = parseClass(pattern, at + 1);
      parts.push(matches);
      at = end;
    } else {
      const escaped = byte === backslash ? pattern[at + 1] : undefined;
      const wanted = escaped ?? byte;
      if (isLiteral) literal.push(wanted);
      parts.push((seen) => seen === wanted);
      at += escaped === undefined ? 1 : 2;
    }
  }
  const beginning = Buffer.from(literal);
  const brokenAt = brokenByteAt(beginning);
  return {
    prefix: beginning.toString('utf8', 0, brokenAt),
    isPrefixAlone: parts.length === literal.length + 1 && parts.at(-1) === '*' && brokenAt === undefined,
    partsMax: parts.length,
    matches: (key) => matchesParts(Buffer.from(key), parts),
  };
}

/** One byte out of several, looked up at once however many the class names, from behind the bracket on; a class that does not end reaches to the pattern's end. */
function parseClass(
  pattern: Uint8Array,
  from: number,
): { readonly matches: (byte: number) => boolean; readonly end: number } {
  let at = from;
  const isNegated = pattern[at] === caret;
  if (isNegated) at++;
  const named = new Uint8Array(256);
  for (; at < pattern.length && pattern[at] !== closeBracket; at++) {
    const escaped = pattern[at] === backslash ? pattern[at + 1] : undefined;
    const last = pattern[at + 2];
    const first = escaped ?? pattern[at] ?? 0;
    if (escaped !== undefined) {
      named[first] = 1;
      at++;
    } else if (pattern[at + 1] === dash && last !== undefined) {
      named.fill(1, Math.min(first, last), Math.max(first, last) + 1);
      at += 2;
    } else named[first] = 1;
  }
  return { matches: (byte) => (named[byte] === 1) !== isNegated, end: at + 1 };
}

/** Goes back to the last `*` alone, so that it takes at most as many steps as the key's bytes times the parts. */
function matchesParts(key: Uint8Array, parts: readonly Part[]): boolean {
  let [at, part] = [0, 0];
  let [starPart, starAt] = [-1, 0];
  while (at < key.length) {
    const wanted = parts[part];
    if (wanted === '*') {
      [starPart, starAt] = [part, at];
      part++;
    } else if (wanted?.(key[at] ?? 0)) {
      at++;
      part++;
    } else if (starPart >= 0) {
      starAt++;
      [at, part] = [starAt, starPart + 1];
    } else return false;
  }
  while (parts[part] === '*') part++;
  return part === parts.length;
}
