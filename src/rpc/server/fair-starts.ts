import type { Clock } from '../../runtime/clock.ts';

const bounds = {
  /** Calls that begin in one round. */
  roundMax: 128,
  /** Of them, those of one caller. */
  callerMax: 32,
} as const;

interface Start {
  readonly run: () => void;
  readonly isOver: () => boolean;
}

/**
 * Lets calls begin in rounds, a few of each caller: a caller who opens thousands a second waits for his own, and what he
 * has dropped by its turn costs nothing more. Between two rounds whatever else the process has to do has its turn. The
 * first of a round begin at once, so that a caller of few calls never waits.
 */
export class FairStarts {
  readonly #clock: Clock;
  readonly #waiting = new Map<object, Start[]>();
  readonly #begun = new Map<object, number>();
  #begunInAll = 0;
  #isRound = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs now or in a later round, unless it is over by then. */
  start(caller: object, run: () => void, isOver: () => boolean): void {
    if (!this.#isRound) {
      this.#isRound = true;
      this.#clock.timer(0, () => this.#round());
    }
    const line = this.#waiting.get(caller);
    if (line === undefined && this.#mayBegin(caller)) this.#begin(caller, run);
    else if (line === undefined) this.#waiting.set(caller, [{ run, isOver }]);
    else line.push({ run, isOver });
  }

  #mayBegin(caller: object): boolean {
    return this.#begunInAll < bounds.roundMax && (this.#begun.get(caller) ?? 0) < bounds.callerMax;
  }

  #begin(caller: object, run: () => void): void {
    this.#begunInAll++;
    this.#begun.set(caller, (this.#begun.get(caller) ?? 0) + 1);
    run();
  }

  #round(): void {
    this.#begun.clear();
    this.#begunInAll = 0;
    this.#isRound = this.#waiting.size > 0;
    if (this.#isRound) this.#clock.timer(0, () => this.#round());
    // Who was not reached in this round stands before those who were in the next.
    for (const [caller, line] of [...this.#waiting]) {
      let taken = 0;
      for (; taken < line.length && this.#mayBegin(caller); taken++) {
        const start = line[taken];
        if (start !== undefined && !start.isOver()) this.#begin(caller, start.run);
      }
      line.splice(0, taken);
      if (taken > 0 || line.length === 0) this.#waiting.delete(caller);
      if (taken > 0 && line.length > 0) this.#waiting.set(caller, line);
    }
  }
}
