import { open } from 'node:fs/promises';
import type { Audit, AuditEntry } from '../access/audit.ts';
import type { Clock } from '../runtime/clock.ts';
import { endLastLine, newLine } from '../runtime/line-end.ts';
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
  /** Lines, since the disk took some. */
  #lost = 0;
  /** The last ones could not be written, which is told once. */
  #fails = false;
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

  /** Resolves once what was recorded so far is written, or lost. */
  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    this.#tellLost();
  }

  async #write(): Promise<void> {
    const { path, logger } = this.#options;
    while (this.#waiting.length > 0) {
      const lines = this.#waiting.join('');
      this.#waiting = [];
      this.#waitingLength = 0;
      const { error, lost } = path === '-' ? await writeOut(lines) : await append(path, lines);
      if (error === undefined) {
        this.#tellLost();
        continue;
      }
      if (!this.#fails) logger.log('error', 'the audit log cannot be written; lines are lost', { path, error });
      this.#fails = true;
      this.#lost += lost;
    }
    this.#writing = undefined;
  }

  /** Once the disk has taken lines again. */
  #tellLost(): void {
    const { path, logger } = this.#options;
    const why = this.#fails ? 'they could not be written' : 'the disk is too slow';
    if (this.#lost > 0) logger.log('error', 'lines of the audit log were lost', { path, lost: this.#lost, why });
    this.#lost = 0;
    this.#fails = false;
  }
}

/** What kept lines from being written, and how many of them. */
interface Appended {
  readonly error?: string;
  readonly lost: number;
}

/** On a new line, also behind one that a full disk, or the end of a process, cut off. */
async function append(path: string, lines: string): Promise<Appended> {
  const bytes = Buffer.from(lines);
  let written = 0;
  try {
    const file = await open(path, 'a', 0o600);
    try {
      await endLastLine(file, path); // Each process of an edge writes there.
      // A disk that becomes full takes the first part, and says so only to the next one.
      while (written < bytes.length) written += (await file.write(bytes, written)).bytesWritten;
    } finally {
      await file.close();
    }
    return { lost: 0 };
  } catch (error) {
    return { error: String(error), lost: linesOf(bytes.subarray(written)) };
  }
}

function linesOf(bytes: Buffer): number {
  return bytes.reduce((count, byte) => (byte === newLine ? count + 1 : count), 0);
}

/** Resolves once the system has it, or does not take it. */
function writeOut(lines: string): Promise<Appended> {
  return new Promise((resolve) => {
    process.stdout.write(lines, (error) => {
      resolve(error ? { error: String(error), lost: linesOf(Buffer.from(lines)) } : { lost: 0 });
    });
  });
}
