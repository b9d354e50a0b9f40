import { Notice } from '../../runtime/notice.ts';

/** Counts the calls that end by themselves, so that a stop can wait for them before it ends the other streams. */
export class CallsUnderWay {
  #count = 0;
  readonly #allEnded = new Notice();

  /** A call begins. Call the result once, when it has ended. */
  begin(): () => void {
    this.#count++;
    return () => {
      this.#count--;
      if (this.#count === 0) this.#allEnded.give();
    };
  }

  get count(): number {
    return this.#count;
  }

  /** Resolves when none is under way, or when the signal is aborted. */
  async ended(signal: AbortSignal): Promise<void> {
    while (this.#count > 0 && !signal.aborted) await this.#allEnded.next(signal);
  }
}
