import type { Clock } from './clock.ts';

/** One answer for all who ask while it is made, and for a while from when it was begun. A failure is shared, and not kept. */
export class SharedAnswer<T> {
  readonly #make: () => Promise<T>;
  readonly #clock: Clock;
  readonly #keptMs: number;
  #answer: { readonly value: Promise<T>; readonly beganMs: number; isUnderWay: boolean } | undefined;

  /** `keptMs`: milliseconds; an answer that took longer is told to nobody who asks once it is there. */
  constructor(make: () => Promise<T>, clock: Clock, keptMs: number) {
    this.#make = make;
    this.#clock = clock;
    this.#keptMs = keptMs;
  }

  get(): Promise<T> {
    const nowMs = this.#clock.monotonicMs();
    const last = this.#answer;
    if (last !== undefined && (last.isUnderWay || nowMs - last.beganMs < this.#keptMs)) return last.value;
    const answer = { value: this.#make(), beganMs: nowMs, isUnderWay: true };
    this.#answer = answer;
    const over = () => {
      answer.isUnderWay = false;
    };
    const failed = () => {
      if (this.#answer === answer) this.#answer = undefined;
    };
    answer.value.then(over, failed);
    return answer.value;
  }
}
