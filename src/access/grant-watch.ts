import { toMeridianError } from '../model/errors.ts';
import type { Clock, Timer } from '../runtime/clock.ts';

/** Milliseconds within which a stream whose permission ended is ended too. */
const lookMs = 500;

interface Watched {
  readonly check: () => void;
  readonly ending: AbortController;
}

/** Ends streams that may not go on: a token was revoked, has expired, or a namespace was renamed out of its scope. */
export class GrantWatch {
  readonly #clock: Clock;
  readonly #watched = new Set<Watched>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The signal is aborted, with what `check` throws, once it throws. Whoever begins calls `release`. */
  begin(check: () => void): { readonly signal: AbortSignal; release(): void } {
    const watched = { check, ending: new AbortController() };
    this.#watched.add(watched);
    this.#timer ??= this.#look();
    return {
      signal: watched.ending.signal,
      release: () => {
        this.#watched.delete(watched);
        if (this.#watched.size > 0) return;
        this.#timer?.cancel();
        this.#timer = undefined;
      },
    };
  }

  #look(): Timer {
    return this.#clock.timer(lookMs, () => {
      this.#timer = this.#look();
      for (const { check, ending } of [...this.#watched]) {
        try {
          check();
        } catch (error) {
          ending.abort(toMeridianError(error));
        }
      }
    });
  }
}
