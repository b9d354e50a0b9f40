import { appendFile } from 'node:fs/promises';
import type { Audit, AuditEntry } from '../access/audit.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';

/** Characters that wait for the disk; beyond them lines are lost, counted, and said to be. */
const waitingMax = 16 * 1024 * 1024;

export interface AuditFileOptions {
  /** `-` is standard output. */
  readonly path: string;
  readonly writes: boolean;
  /** Stands in each line. */
  readonly node: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The audit log as JSON lines, in the order of the answers. The file is opened for each group of lines, so that whoever
 * moves it away finds the next ones in a new one.
 */
export class AuditFile implements Audit {
  readonly writes: boolean;
  readonly #options: AuditFileOptions;
  #waiting: string[] = [];
  #waitingLength = 0;
  #lost = 0;
  #writing: Promise<void> | undefined;

  constructor(options: AuditFileOptions) {
    this.#options = options;
    this.writes = options.writes;
  }

  record(entry: AuditEntry): void {
    const { clock, node } = this.#options;
    const line = `${JSON.stringify({ time: new Date(clock.wallMs()).toISOString(), node, ...entry })}\n`;
    if (this.#waitingLength + line.length > waitingMax) {
      this.#lost++;
      return;
    }
    this.#waiting.push(line);
    this.#waitingLength += line.length;
    this.#writing ??= this.#write();
  }

  /** Resolves once what was recorded so far is written. */
  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    const { path, logger } = this.#options;
    while (this.#waiting.length > 0) {
      const lines = this.#waiting.join('');
      this.#waiting = [];
      this.#waitingLength = 0;
      try {
        if (path === '-') await writeOut(lines);
        else await appendFile(path, lines, { mode: 0o600 });
        if (this.#lost > 0)
          logger.log('error', 'lines of the audit log were lost: the disk is too slow', { lost: this.#lost });
        this.#lost = 0;
      } catch (error) {
        logger.log('error', 'the audit log cannot be written; lines are lost', { path, error: String(error) });
      }
    }
    this.#writing = undefined;
  }
}

/** Resolves once the system has it. @throws what keeps it from there */
function writeOut(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}
