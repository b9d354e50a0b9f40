/** A number of 64 bits in halves: JavaScript's numbers have none that could be multiplied, and BigInt is ten times as slow. */
class Word {
  high: number;
  low: number;

  constructor(high = 0, low = 0) {
    this.high = high | 0;
    this.low = low | 0;
  }

  set(high: number, low: number): this {
    this.high = high;
    this.low = low;
    return this;
  }

  copy({ high, low }: Word): this {
    return this.set(high, low);
  }

  xor({ high, low }: Word): this {
    return this.set(this.high ^ high, this.low ^ low);
  }

  add({ high, low }: Word): this {
    const sum = (this.low >>> 0) + (low >>> 0);
    return this.set((this.high + high + (sum > 0xffffffff ? 1 : 0)) | 0, sum | 0);
  }

  multiply({ high, low }: Word): this {
    const upper = highOfProduct(this.low, low) + Math.imul(this.low, high) + Math.imul(this.high, low);
    return this.set(upper | 0, Math.imul(this.low, low));
  }

  /** By 1 to 31 bits. */
  rotate(bits: number): this {
    const { high, low } = this;
    return this.set((high << bits) | (low >>> (32 - bits)), (low << bits) | (high >>> (32 - bits)));
  }

  /** Joins to it what it is when it is shifted to the right, by 1 to 63 bits. */
  fold(bits: number): this {
    const { high, low } = this;
    if (bits >= 32) return this.set(high, low ^ (high >>> (bits - 32)));
    return this.set(high ^ (high >>> bits), low ^ ((low >>> bits) | (high << (32 - bits))));
  }
}

/** The upper half of the product of two halves. */
function highOfProduct(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  return aHigh * bHigh + (middle >>> 16) + (((middle & 0xffff) + aLow * bHigh) >>> 16);
}

const prime1 = new Word(0x9e3779b1, 0x85ebca87);
const prime2 = new Word(0xc2b2ae3d, 0x27d4eb4f);
const prime3 = new Word(0x165667b1, 0x9e3779f9);
const prime4 = new Word(0x85ebca77, 0xc2b2ae63);
const prime5 = new Word(0x27d4eb2f, 0x165667c5);

const stripeBytes = 32;
const scratch = new Word();

function round(lane: Word, input: Word): void {
  lane.add(input.multiply(prime2)).rotate(31).multiply(prime1);
}

/** As `round`, of eight bytes into a lane among all, its upper half first: most of the time goes here. */
function roundAt(lanes: Int32Array, at: number, bytes: Buffer, from: number): void {
  const inputLow = bytes.readInt32LE(from);
  const inputHigh = bytes.readInt32LE(from + 4);
  const low = Math.imul(inputLow, prime2.low);
  const upper =
    highOfProduct(inputLow, prime2.low) + Math.imul(inputLow, prime2.high) + Math.imul(inputHigh, prime2.low);
  const sum = ((lanes[at + 1] ?? 0) >>> 0) + (low >>> 0);
  const sumLow = sum | 0;
  const sumHigh = ((lanes[at] ?? 0) + upper + (sum > 0xffffffff ? 1 : 0)) | 0;
  const turnedHigh = (sumHigh << 31) | (sumLow >>> 1);
  const turnedLow = (sumLow << 31) | (sumHigh >>> 1);
  lanes[at] =
    highOfProduct(turnedLow, prime1.low) + Math.imul(turnedLow, prime1.high) + Math.imul(turnedHigh, prime1.low);
  lanes[at + 1] = Math.imul(turnedLow, prime1.low);
}

/** The digest of zstd's frames, with the seed 0. */
export class Xxh64 {
  /** Four numbers, the upper half of each first. */
  readonly #lanes = Int32Array.from(
    [
      new Word().copy(prime1).add(prime2),
      new Word().copy(prime2),
      new Word(),
      new Word(~prime1.high, -prime1.low),
    ].flatMap(({ high, low }) => [high, low]),
  );
  /** What has not filled a stripe yet. */
  #rest: Buffer = Buffer.alloc(0);
  #bytes = 0;

  add(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    const all = this.#rest.length === 0 ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) : undefined;
    const held = all ?? Buffer.concat([this.#rest, bytes]);
    let at = 0;
    for (; at + stripeBytes <= held.length; at += stripeBytes) {
      for (let lane = 0; lane < 4; lane++) roundAt(this.#lanes, 2 * lane, held, at + 8 * lane);
    }
    this.#rest = Buffer.from(held.subarray(at));
  }

  /** Its lower half, which is what stands in a file. */
  get low(): number {
    const sum = new Word();
    if (this.#bytes < stripeBytes) sum.copy(prime5);
    else this.#joinLanes(sum);
    sum.add(scratch.set(Math.floor(this.#bytes / 2 ** 32), this.#bytes | 0));
    const left = this.#addRest(sum);
    for (const byte of left) sum.xor(scratch.set(0, byte).multiply(prime5)).rotate(11).multiply(prime1);
    return sum.fold(33).multiply(prime2).fold(29).multiply(prime3).fold(32).low >>> 0;
  }

  #joinLanes(sum: Word): void {
    const lanes = [0, 2, 4, 6].map((at) => new Word(this.#lanes[at], this.#lanes[at + 1]));
    for (const [index, lane] of lanes.entries()) sum.add(scratch.copy(lane).rotate([1, 7, 12, 18][index] ?? 0));
    for (const lane of lanes) {
      const merged = new Word();
      round(merged, lane);
      sum.xor(merged).multiply(prime1).add(prime4);
    }
  }

  /** Words of eight bytes and one of four; returns the bytes behind them. */
  #addRest(sum: Word): Uint8Array {
    let at = 0;
    for (; at + 8 <= this.#rest.length; at += 8) {
      const lane = new Word();
      round(lane, read(this.#rest, at));
      sum.xor(lane).rotate(27).multiply(prime1).add(prime4);
    }
    if (at + 4 <= this.#rest.length) {
      sum
        .xor(scratch.set(0, this.#rest.readInt32LE(at)).multiply(prime1))
        .rotate(23)
        .multiply(prime2)
        .add(prime3);
      at += 4;
    }
    return this.#rest.subarray(at);
  }
}

function read(bytes: Buffer, at: number): Word {
  return scratch.set(bytes.readInt32LE(at + 4), bytes.readInt32LE(at));
}
