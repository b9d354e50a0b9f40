import { malformed } from './record-codec.ts';

/*
 * Protobuf's wire format over Buffers, for the few messages whose objects would cost more than their contents: a tag is
 * field · 8 + wire type, where 0 is a varint, 1 is eight bytes, 2 is a length and so many bytes, 5 is four bytes. All
 * else goes through the loader of .proto files. Messages of one type put one after another are one message, so both
 * ways of encoding may make parts of the same one.
 */

/** Above what ten bytes hold, the longest varint. The sum of many more would be no number, and no bound. */
const varintMax = 2 ** 70;

/** From here on shifting would lose bits. Below, it is much faster than dividing. */
const smallMax = 2 ** 31;

/** Bytes of a varint, for whole numbers from 0 to 2⁵³. */
export function varintBytes(value: number): number {
  let bytes = 1;
  let rest = value;
  for (; rest >= smallMax; rest = Math.floor(rest / 0x80)) bytes++;
  for (; rest >= 0x80; rest >>>= 7) bytes++;
  return bytes;
}

/** Bytes of a field with a tag of one byte, a length and so many bytes. */
export function fieldBytes(bytes: number): number {
  return 1 + varintBytes(bytes) + bytes;
}

/** Writes into a buffer that is large enough: the caller has counted the bytes. */
export class WireWriter {
  readonly buffer: Buffer;
  at = 0;

  constructor(bytes: number) {
    this.buffer = Buffer.allocUnsafe(bytes);
  }

  /** A tag whose field is below 16. */
  byte(byte: number): void {
    this.buffer[this.at++] = byte;
  }

  varint(value: number): void {
    const { buffer } = this;
    let rest = value;
    for (; rest >= smallMax; rest = Math.floor(rest / 0x80)) buffer[this.at++] = (rest % 0x80) + 0x80;
    for (; rest >= 0x80; rest >>>= 7) buffer[this.at++] = (rest & 0x7f) | 0x80;
    buffer[this.at++] = rest;
  }

  /** A tag, and a number or the length of what follows. */
  head(tag: number, value: number): void {
    this.byte(tag);
    this.varint(value);
  }

  double(value: number): void {
    this.at = this.buffer.writeDoubleLE(value, this.at);
  }

  bytes(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.at);
    this.at += bytes.byteLength;
  }

  /** Text of ASCII alone. */
  ascii(text: string): void {
    this.at += this.buffer.write(text, this.at, 'latin1');
  }

  /** Text of so many bytes in UTF-8. */
  utf8(text: string, bytes: number): void {
    if (bytes === text.length) this.ascii(text);
    else this.at += this.buffer.write(text, this.at, 'utf8');
  }

  written(): Buffer {
    return this.at === this.buffer.length ? this.buffer : this.buffer.subarray(0, this.at);
  }
}

/** Reads tag by tag. @throws INVALID_ARGUMENT if the bytes end within a field, or a field has no wire format */
export class WireReader {
  at: number;
  readonly buffer: Buffer;
  /** The end of the message that is being read. */
  end: number;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
    this.at = 0;
    this.end = buffer.length;
  }

  /** @throws also for a number larger than 2⁵³ */
  varint(): number {
    const value = this.number();
    if (value > Number.MAX_SAFE_INTEGER) throw malformed('a number in a message', value);
    return value;
  }

  /** A varint; above 2⁵³ it is approximate. */
  number(): number {
    const { buffer, end } = this;
    const first = this.at < end ? buffer[this.at] : undefined;
    if (first !== undefined && first < 0x80) {
      this.at++;
      return first;
    }
    let value = 0;
    for (let factor = 1; this.at < end && factor < varintMax; factor *= 0x80) {
      const byte = buffer[this.at++] ?? 0;
      if (byte < 0x80) return value + byte * factor;
      value += (byte - 0x80) * factor;
    }
    throw this.at < end ? malformed('a number in a message', 'more than ten bytes') : cutShort();
  }

  /** Checks that the content that was read ended at `end`. @throws if its last field went beyond */
  closes(end: number): void {
    if (this.at !== end) throw malformed('a message', 'a field ends beyond it');
  }

  /** Reads a length, and returns where its content ends; `at` is then where it begins. */
  content(): number {
    const length = this.varint();
    if (length > this.end - this.at) throw cutShort();
    return this.at + length;
  }

  double(): number {
    if (this.end - this.at < 8) throw cutShort();
    const value = this.buffer.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  /** The content of a length-delimited field: shares the buffer. */
  bytes(): Buffer {
    const end = this.content();
    const bytes = this.buffer.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  text(): string {
    const end = this.content();
    const text = this.buffer.toString('utf8', this.at, end);
    this.at = end;
    return text;
  }

  /** Text that is ASCII, or will be refused. */
  ascii(): string {
    const end = this.content();
    const text = this.buffer.toString('latin1', this.at, end);
    this.at = end;
    return text;
  }

  /** Skips a message of which no field is read; bytes that are no message are still refused. */
  skipMessage(): void {
    const end = this.content();
    while (this.at < end) this.skip(this.varint());
    this.closes(end);
  }

  /** Skips the content of an unknown field. */
  skip(tag: number): void {
    const wireType = tag & 7;
    if (wireType === 0)
      this.number(); // Of a later version it may be negative, or larger than any that is read.
    else if (wireType === 2) this.at = this.content();
    else if (wireType === 1 || wireType === 5) this.at += wireType === 1 ? 8 : 4;
    else throw malformed('a field of a message', tag);
    if (this.at > this.end) throw cutShort();
  }
}

function cutShort(): Error {
  return malformed('a message', 'it is cut short');
}
