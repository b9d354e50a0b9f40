import type { Logger } from '../runtime/logger.ts';

/** What a node opened, to be closed in the opposite order, whether its start broke off or it has run for a year. */
export class Closing {
  readonly #logger: Logger;
  readonly #opened: Array<{ readonly name: string; readonly close: () => Promise<void> }> = [];
  #closed: Promise<void> | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(name: string, close: () => Promise<void>): void {
    this.#opened.push({ name, close });
  }

  /** Runs a start; where that fails, closes what it had opened. */
  async orClose<T>(start: () => Promise<T>): Promise<T> {
    try {
      return await start();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Idempotent. What fails to close is logged and does not keep the rest open. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    for (const { name, close } of this.#opened.reverse()) {
      try {
        await close();
      } catch (error) {
        this.#logger.log('error', 'could not be closed', { what: name, error: String(error) });
      }
    }
  }
}
