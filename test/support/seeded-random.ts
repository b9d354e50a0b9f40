import type { Random } from '../../src/runtime/random.ts';

/** A small generator (sfc32, by Chris Doty-Humphrey) that repeats itself for a seed. */
export class SeededRandom implements Random {
  #a: number;
  #b = 0x9e3779b9;
  #c = 0x243f6a88;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    for (let round = 0; round < 15; round++) this.#next();
  }

  fraction(): number {
    return this.#next() / 2 ** 32;
  }

  hex(bytes: number): string {
    return Array.from({ length: bytes }, () => (this.#next() >>> 24).toString(16).padStart(2, '0')).join('');
  }

  /** A whole number from `least` up to and with `most`. */
  between(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  /** One of these; at least one there is. */
  pick<T>(from: readonly T[]): T {
    const picked = from[this.between(0, from.length - 1)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }

  /** A generator of its own, so that what is drawn from it shifts nothing here. */
  fork(): SeededRandom {
    return new SeededRandom(this.#next());
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }
}
