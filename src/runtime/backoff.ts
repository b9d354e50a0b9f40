import type { Random } from './random.ts';

export interface BackoffOptions {
  /** Milliseconds before the second try, at the most. */
  readonly firstMs: number;
  /** Milliseconds between tries, at the most. */
  readonly mostMs: number;
}

/**
 * Exponential back-off with full jitter ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015): the n-th delay
 * is drawn evenly from 0 to first·2ⁿ, so that those who failed together do not come back together.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #failures = 0;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /** Milliseconds to wait after one more failure. */
  nextMs(): number {
    const ceiling = Math.min(this.#options.mostMs, this.#options.firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return Math.ceil(ceiling * this.#random.fraction());
  }

  succeeded(): void {
    this.#failures = 0;
  }
}
