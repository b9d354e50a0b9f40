import type { Clock } from '../../runtime/clock.ts';
import type { Terminal } from '../terminal.ts';
import type { Checkpoint, TransferState } from './checkpoint.ts';

/** Milliseconds between two savings: what a crash makes the next run do again. */
const savedEveryMs = 200;

/** A checkpoint that is saved now and then: a file that is replaced after each of a hundred batches a second costs more than they do. */
export class PacedCheckpoint {
  readonly #checkpoint: Checkpoint | undefined;
  readonly #clock: Clock;
  #savedMs = Number.NEGATIVE_INFINITY;
  #unsaved: TransferState | undefined;

  /** Without a checkpoint nothing is saved. */
  constructor(checkpoint: Checkpoint | undefined, clock: Clock) {
    this.#checkpoint = checkpoint;
    this.#clock = clock;
  }

  async save(state: TransferState): Promise<void> {
    this.#unsaved = state;
    if (this.#clock.monotonicMs() - this.#savedMs >= savedEveryMs) await this.#saveLast();
  }

  /** Saves what was not, whenever that was, as the transfer stops. False where it cannot be saved, which is noted. */
  async stop({ note }: Pick<Terminal, 'note'>): Promise<boolean> {
    try {
      await this.#saveLast();
      return true;
    } catch (error) {
      note(error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  async #saveLast(): Promise<void> {
    const state = this.#unsaved;
    if (state === undefined) return;
    this.#savedMs = this.#clock.monotonicMs();
    await this.#checkpoint?.save(state);
    if (this.#unsaved === state) this.#unsaved = undefined;
  }
}
