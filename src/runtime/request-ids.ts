import type { Random } from './random.ts';

/** Of the number, in base 36: all ids of a process are of one length for 78 thousand million requests. */
const digits = 7;

/** Ids for requests that bring none: unlike those of every other process, and cheap, as most are never looked at. */
export class RequestIds {
  readonly #prefix: string;
  #made = 0;

  constructor(random: Random) {
    this.#prefix = random.hex(6);
  }

  next(): string {
    this.#made++;
    return `${this.#prefix}-${this.#made.toString(36).padStart(digits, '0')}`;
  }
}
