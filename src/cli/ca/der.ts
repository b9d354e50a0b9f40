/**
 * As much of DER (X.690) as a certificate is written with: each value is a tag, its length, and its content.
 *
 *     30 06  02 01 05  02 01 07      SEQUENCE { INTEGER 5, INTEGER 7 }
 */
const tags = {
  boolean: 0x01,
  bitString: 0x03,
  octetString: 0x04,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

export type Tag = keyof typeof tags;

export function der(tag: Tag | number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const bytes = length < 0x80 ? [length] : lengthBytes(length);
  return Buffer.concat([Buffer.from([typeof tag === 'number' ? tag : tags[tag], ...bytes]), content]);
}

/** One that is not negative, by its bytes: as few as there can be, the first of them below 0x80. */
export function derInteger(bytes: Buffer): Buffer {
  const from = bytes.findIndex((byte) => byte !== 0);
  const digits = from < 0 ? Buffer.alloc(1) : bytes.subarray(from);
  return der(0x02, Buffer.from((digits[0] ?? 0) < 0x80 ? [] : [0]), digits);
}

/** `1.2.840.10045.4.3.2`, say: the first two numbers in one byte, the others in groups of seven bits. */
export function derOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = rest.flatMap((number) => {
    const groups = [number & 0x7f];
    for (let left = number >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return der(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

export function derText(text: string): Buffer {
  return der('utf8', Buffer.from(text));
}

/** Two digits of the year up to 2049, four behind (RFC 5280, section 4.1.2.5). */
export function derTime(ms: number): Buffer {
  const digits = `${new Date(ms).toISOString().replace(/\.\d+Z$|[-:T]/g, '')}Z`;
  return digits < '2050' ? der('utcTime', Buffer.from(digits.slice(2))) : der('generalizedTime', Buffer.from(digits));
}

function lengthBytes(length: number): readonly number[] {
  const hex = length.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return [0x80 | bytes.length, ...bytes];
}
