import type { Clock, Timer } from '../../runtime/clock.ts';

export interface SignsOfLifeOptions {
  readonly clock: Clock;
  /** Asks the process to say anything at all. */
  readonly ask: () => void;
  /** Told once, after so many milliseconds in which nothing came. */
  readonly silent: (silentMs: number) => void;
}

/** Milliseconds of a round: the process is asked at its beginning, and whatever it says until its end counts. */
const roundMs = 5_000;
/** Rounds in a row without a word after which its event loop is taken for blocked. One that is busy says something between two turns. */
const silentRoundsMax = 6;
/** Milliseconds: where a round took so much longer, this process stood still itself, or the machine did. It says nothing of others. */
const lateMsMax = 1_000;

/** Whether a process that runs still does anything. One that hangs ends by nothing: somebody has to notice. */
export class SignsOfLife {
  readonly #options: SignsOfLifeOptions;
  #silentRounds = 0;
  #timer: Timer | undefined;

  constructor(options: SignsOfLifeOptions) {
    this.#options = options;
  }

  /** From now on it is asked. */
  begin(): void {
    const { clock, ask, silent } = this.#options;
    const endMs = clock.monotonicMs() + roundMs;
    ask();
    this.#timer = clock.timer(roundMs, () => {
      if (clock.monotonicMs() <= endMs + lateMsMax) this.#silentRounds++;
      if (this.#silentRounds < silentRoundsMax) this.begin();
      else silent(silentRoundsMax * roundMs);
    });
  }

  /** It said something. */
  heard(): void {
    this.#silentRounds = 0;
  }

  end(): void {
    this.#timer?.cancel();
  }
}
