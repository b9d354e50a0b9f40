/** Reads LevelDB's numbers and texts one after the other. Reading past the end throws a RangeError. */
export class ByteReader {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  /** A number in 7 bits a byte, least first; exact up to 2^53. */
  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes.readUInt8(this.at++);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      if (scale > 2 ** 49) throw new RangeError('a number of more than eight bytes');
    }
  }

  take(length: number): Buffer {
    const end = this.at + length;
    if (end > this.bytes.length) throw new RangeError('the bytes end early');
    const taken = this.bytes.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  /** Bytes that follow their length. */
  text(): Buffer {
    return this.take(this.varint());
  }
}
