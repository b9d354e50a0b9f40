const [tab, newline, carriageReturn, space] = [0x09, 0x0a, 0x0d, 0x20];
const [doubleQuote, singleQuote, backslash] = [0x22, 0x27, 0x5c];

/** `\n` and its like in double quotes; any other character behind a backslash stands for itself. */
const escapes: ReadonlyMap<number, number> = new Map([
  [0x6e, newline],
  [0x72, carriageReturn],
  [0x74, tab],
  [0x62, 0x08],
  [0x61, 0x07],
]);

/** The words of an inline command, as redis-cli quotes them; undefined where a quote does not end, or a word goes on behind it. */
export function inlineWords(line: Buffer): Buffer[] | undefined {
  const words: Buffer[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isSpace(line[at])) at++;
    if (at >= line.length) return words;
    const bytes: number[] = [];
    while (at < line.length && !isSpace(line[at])) {
      const byte = line[at] ?? 0;
      if (byte !== doubleQuote && byte !== singleQuote) {
        bytes.push(byte);
        at++;
        continue;
      }
      at = quoted(line, at + 1, byte, bytes);
      if (at < 0 || (at < line.length && !isSpace(line[at]))) return undefined;
    }
    words.push(Buffer.from(bytes));
  }
}

/** Adds what stands up to the quote's end; the place behind it, or -1 where there is none. */
function quoted(line: Buffer, from: number, quote: number, bytes: number[]): number {
  for (let at = from; at < line.length; at++) {
    const byte = line[at] ?? 0;
    if (byte === quote) return at + 1;
    const next = line[at + 1];
    if (byte !== backslash || next === undefined) bytes.push(byte);
    else if (quote === singleQuote) {
      if (next === singleQuote) at++;
      bytes.push(next === singleQuote ? singleQuote : byte);
    } else {
      const hex = /^x([0-9a-fA-F]{2})/.exec(line.toString('latin1', at + 1, at + 4))?.[1];
      bytes.push(hex === undefined ? (escapes.get(next) ?? next) : Number.parseInt(hex, 16));
      at += hex === undefined ? 1 : 3;
    }
  }
  return -1;
}

function isSpace(byte: number | undefined): boolean {
  return byte === space || byte === tab || byte === carriageReturn || byte === newline || byte === 0;
}
