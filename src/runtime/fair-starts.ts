export interface StartBounds {
  /** Requests that begin in one round. */
  readonly roundMax: number;
  /** Of them, those of one share. */
  readonly shareMax: number;
  /** Of them, those of one connection. */
  readonly connectionMax: number;
}

/** Of requests that cost some tens of microseconds each. */
const requestBounds: StartBounds = { roundMax: 128, shareMax: 64, connectionMax: 32 };

/** Whose turn it is: all connections of one share have its part together. */
export interface Starting {
  readonly connection: object;
  /** Whoever proved himself on it, say; or the connection itself. */
  readonly share: object | string;
}

interface Start {
  readonly run: () => void;
  readonly isOver: () => boolean;
}

type Lines = Map<object, Start[]>;

/**
 * Lets requests begin in rounds, a few of each share, and of each connection of it: whoever opens thousands a second, on
 * however many connections, waits for his own, and what he has dropped by its turn costs nothing more. Between two rounds
 * whatever else the process has to do has its turn. The first of a round begin at once, so that a caller of few requests
 * never waits.
 */
export class FairStarts {
  readonly #later: (run: () => void) => void;
  readonly #bounds: StartBounds;
  readonly #waiting = new Map<object | string, Lines>();
  readonly #begun = new Map<object | string, number>();
  #begunInAll = 0;
  #isRound = false;

  /**
   * `later` is to run something behind all that has come from sockets by then. Default: Node.js' `setImmediate`; among
   * timers the rounds of several listeners would follow each other for as long as anybody waits. `bounds` are for what
   * costs more than a request does.
   */
  constructor(later: (run: () => void) => void = setImmediate, bounds: StartBounds = requestBounds) {
    this.#later = later;
    this.#bounds = bounds;
  }

  /** Runs now or in a later round, unless it is over by then. */
  start(starting: Starting, run: () => void, isOver: () => boolean): void {
    if (!this.#isRound) {
      this.#isRound = true;
      this.#later(() => this.#round());
    }
    const { connection, share } = starting;
    const lines = this.#waiting.get(share);
    const line = lines?.get(connection);
    if (line !== undefined) line.push({ run, isOver });
    else if (this.#mayBegin(starting)) this.#begin(starting, run);
    else if (lines !== undefined) lines.set(connection, [{ run, isOver }]);
    else this.#waiting.set(share, new Map([[connection, [{ run, isOver }]]]));
  }

  #mayBegin({ connection, share }: Starting): boolean {
    return (
      this.#begunInAll < this.#bounds.roundMax &&
      (this.#begun.get(share) ?? 0) < this.#bounds.shareMax &&
      (this.#begun.get(connection) ?? 0) < this.#bounds.connectionMax
    );
  }

  #begin({ connection, share }: Starting, run: () => void): void {
    this.#begunInAll++;
    this.#begun.set(connection, (this.#begun.get(connection) ?? 0) + 1);
    if (share !== connection) this.#begun.set(share, (this.#begun.get(share) ?? 0) + 1);
    run();
  }

  #round(): void {
    this.#begun.clear();
    this.#begunInAll = 0;
    try {
      this.#beginWaiting();
    } finally {
      this.#isRound = this.#begunInAll > 0 || this.#waiting.size > 0;
      if (this.#isRound) this.#later(() => this.#round());
    }
  }

  #beginWaiting(): void {
    // Who was not reached in this round stands before those who were in the next.
    for (const [share, lines] of [...this.#waiting]) {
      if (this.#begunInAll >= this.#bounds.roundMax) return;
      this.#roundOf(share, lines);
      this.#waiting.delete(share);
      if (lines.size > 0) this.#waiting.set(share, lines);
    }
  }

  #roundOf(share: object | string, lines: Lines): void {
    for (const [connection, line] of [...lines]) {
      let taken = 0;
      for (; taken < line.length && this.#mayBegin({ connection, share }); taken++) {
        const start = line[taken];
        if (start !== undefined && !start.isOver()) this.#begin({ connection, share }, start.run);
      }
      line.splice(0, taken);
      if (taken > 0 || line.length === 0) lines.delete(connection);
      if (taken > 0 && line.length > 0) lines.set(connection, line);
    }
  }
}
