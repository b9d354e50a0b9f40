/** The polynomial of Redis ("Jones"), bits reversed. */
const polynomial = { high: 0x95ac9329, low: 0xac4bc9b5 } as const;

/** What each byte does, in halves: JavaScript's numbers have no 64 bits that could be shifted. */
const [highs, lows] = tables();

/** The checksum at the end of an RDB file, of all bytes before it. */
export class Crc64 {
  #high = 0;
  #low = 0;

  add(bytes: Uint8Array): void {
    let [high, low] = [this.#high, this.#low];
    for (const byte of bytes) {
      const index = (low ^ byte) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (lows[index] ?? 0);
      high = (high >>> 8) ^ (highs[index] ?? 0);
    }
    this.#high = high;
    this.#low = low;
  }

  get value(): bigint {
    return (BigInt(this.#high >>> 0) << 32n) | BigInt(this.#low >>> 0);
  }
}

function tables(): readonly [Int32Array, Int32Array] {
  const [tableHigh, tableLow] = [new Int32Array(256), new Int32Array(256)];
  for (let index = 0; index < 256; index++) {
    let [high, low] = [0, index];
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (low & 1) === 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (!isOdd) continue;
      high ^= polynomial.high;
      low ^= polynomial.low;
    }
    tableHigh[index] = high;
    tableLow[index] = low;
  }
  return [tableHigh, tableLow];
}
