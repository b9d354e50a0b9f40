import { type Clock, sleep } from '../runtime/clock.ts';

const neverAborted = new AbortController().signal;

/**
 * Makes one answer at a time for all who ask for it: whoever asks while one is made shares the next, which is made after
 * his question, so nobody is told what was true before it. Between two there is a pause of as long as one took, at least:
 * asked without end it costs half of the process, not all.
 */
export class Scrapes<T> {
  readonly #make: () => Promise<T>;
  readonly #clock: Clock;
  #next: Promise<T> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(make: () => Promise<T>, clock: Clock) {
    this.#make = make;
    this.#clock = clock;
  }

  get(): Promise<T> {
    this.#next ??= this.#after(this.#last);
    return this.#next;
  }

  async #after(last: Promise<unknown>): Promise<T> {
    await last;
    this.#next = undefined;
    const beganMs = this.#clock.monotonicMs();
    const made = this.#make();
    this.#last = made.catch(() => {}).then(() => sleep(this.#clock, this.#clock.monotonicMs() - beganMs, neverAborted));
    return made;
  }
}
