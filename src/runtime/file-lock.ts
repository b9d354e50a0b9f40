import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readFile, readlink, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Clock, Timer } from './clock.ts';

/** Milliseconds between two signs of life in a lock; and without one, before a lock of another machine counts as left behind. */
const signEveryMs = 10_000;
const silenceMsMax = 60_000;
/** Locks that were left behind and are taken away before the taker gives up. */
const turnsMax = 5;

/** The process that has a lock. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
}

export type LockOutcome =
  | { readonly kind: 'taken'; readonly lock: FileLock }
  | { readonly kind: 'held'; readonly holder: LockHolder };

/**
 * A file that is there while a process has something for itself. A process that is killed leaves its file behind, and
 * Node.js has no lock that the system takes back. So the file says which process made it:
 *
 * - A process of this machine is looked up. Its start time tells it from a later process with the same number.
 * - A process of another machine, or of another container, cannot be looked up. Its file shows a sign of life every ten
 *   seconds: the file's time moves on. A file whose time stood still for a minute was left behind. That time and the time
 *   of a new file beside it come from one file system, so that no two machines' clocks are compared.
 */
export class FileLock {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #text: string;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #isOver = false;
  #signing: Promise<unknown> = Promise.resolve();

  private constructor(path: string, file: FileHandle, text: string, clock: Clock) {
    this.#path = path;
    this.#file = file;
    this.#text = text;
    this.#clock = clock;
    this.#sign();
  }

  /** @throws the file system's error where no lock can be written there */
  static async take(path: string, clock: Clock): Promise<LockOutcome> {
    const text = JSON.stringify({ ...(await thisProcess()), nonce: randomUUID() });
    let found: string | undefined;
    for (let turn = 0; turn < turnsMax; turn++) {
      const file = await made(path, text);
      if (file !== undefined) return { kind: 'taken', lock: new FileLock(path, file, text, clock) };
      found = await textOf(path);
      if (found === undefined) continue;
      if (!(await isLeftBehind(path, found)) || !(await takenAway(path, found))) break;
    }
    const { pid, host } = holderOf(found ?? '');
    return { kind: 'held', holder: { pid, host } };
  }

  /** Idempotent. Leaves a lock alone that another process took meanwhile. */
  async release(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    await this.#signing;
    await this.#file.close();
    if ((await textOf(this.#path)) === this.#text) await rm(this.#path, { force: true });
  }

  #sign(): void {
    this.#timer = this.#clock.timer(signEveryMs, () => {
      if (this.#isOver) return;
      // By its handle: another process that took the lock has another file.
      const written = this.#file.write(this.#text, 0).catch(() => {});
      this.#signing = written.then(() => {
        if (!this.#isOver) this.#sign();
      });
    });
  }
}

/** A process as a lock names it. */
interface Holder extends LockHolder {
  /** Where process numbers mean the same: of a container they are its own. Unset = not known here. */
  readonly space?: string;
  /** When it began, by the system's count; unset = not known here. */
  readonly begun?: string;
}

async function thisProcess(): Promise<Holder> {
  const { pid } = process;
  const [begun, space] = [await begunOf(pid), await readlink('/proc/self/ns/pid').catch(() => undefined)];
  return { pid, host: hostname(), ...(space && { space }), ...(begun && { begun }) };
}

/** Only Linux tells it here. */
async function begunOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // The name before it may hold spaces and brackets.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

/** Undefined where the file is there already. */
async function made(path: string, text: string): Promise<FileHandle | undefined> {
  const file = await open(path, 'wx').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return undefined;
    throw error;
  });
  try {
    await file?.write(text, 0);
    return file;
  } catch (error) {
    await file?.close();
    await rm(path, { force: true });
    throw error;
  }
}

/** Undefined where it is gone. */
async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

/** One that was killed before it wrote has no number and no machine. */
function holderOf(text: string): Holder {
  try {
    const { pid, host, space, begun } = JSON.parse(text) as Partial<Holder>;
    if (typeof pid === 'number' && typeof host === 'string') {
      return { pid, host, ...(space && { space }), ...(begun && { begun }) };
    }
  } catch {
    // Judged by its age.
  }
  return { pid: 0, host: '' };
}

async function isLeftBehind(path: string, text: string): Promise<boolean> {
  const [holder, here] = [holderOf(text), await thisProcess()];
  if (holder.host !== here.host || holder.space !== here.space) return hasFallenSilent(path);
  if (!isRunning(holder.pid)) return true;
  return holder.begun !== undefined && holder.begun !== (await begunOf(holder.pid));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Of another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function hasFallenSilent(path: string): Promise<boolean> {
  const beside = `${path}.${randomUUID()}`;
  try {
    await writeFile(beside, '');
    const [now, signed] = [await stat(beside), await stat(path).catch(() => undefined)];
    return signed === undefined || now.mtimeMs - signed.mtimeMs > silenceMsMax;
  } finally {
    await rm(beside, { force: true });
  }
}

/** False where another process was quicker, and the file is that one's by now: it gets its file back. */
async function takenAway(path: string, text: string): Promise<boolean> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
  if ((await textOf(aside)) === text) {
    await rm(aside, { force: true });
    return true;
  }
  await rename(aside, path);
  return false;
}
