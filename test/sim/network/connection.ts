import type { Path } from './path.ts';

/** `there`: from who opened the connection; `back`: to it. */
export type Direction = 'there' | 'back';

/** One call or stream on its way over a path, until it ends well or not. */
export class Connection {
  readonly path: Path;
  #error: unknown;
  #over = false;
  #dead = false;
  readonly #ended: () => void;
  readonly #onEnd = new Set<(error: unknown) => void>();

  constructor(path: Path, ended: () => void) {
    this.path = path;
    this.#ended = ended;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Why it is over. */
  get error(): unknown {
    return this.#error;
  }

  end(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#ended();
    for (const run of this.#onEnd) run(error);
    this.#onEnd.clear();
  }

  /** One end is no more, and the other has not noticed: nothing that is sent from now on arrives. */
  die(): void {
    this.#dead = true;
  }

  onEnd(run: (error: unknown) => void): () => void {
    if (this.#over) run(this.#error);
    else this.#onEnd.add(run);
    return () => this.#onEnd.delete(run);
  }

  /** Resolves when a message sent now has arrived; rejects when the connection ends before. */
  carry(direction: Direction): Promise<void> {
    return new Promise((resolve, reject) => {
      const forget = this.onEnd(reject);
      const arrive = (): void => {
        if (this.#over) return;
        if (this.path.isSilent(direction)) this.path.onceMended(arrive);
        else {
          forget();
          resolve();
        }
      };
      if (!this.#dead) this.path.time.at(this.path.delayMs(), arrive);
    });
  }

  /** What the far end makes of it, unless the connection ends first. */
  answered<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const forget = this.onEnd(reject);
      answer.then(
        (value) => {
          forget();
          resolve(value);
        },
        (error: unknown) => {
          forget();
          reject(error);
        },
      );
    });
  }
}
