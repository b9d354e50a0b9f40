import { createHash } from 'node:crypto';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { systemFailure } from '../system-failure.ts';

/** Bytes from a file's beginning that, with its size and when it was written, tell it from others. */
const headBytes = 1024 * 1024;

/** What a checkpoint belongs to: where any of it differs, the transfer begins anew. */
export type TransferIdentity = Readonly<Record<string, string>>;

/** How far a transfer came. */
export interface TransferState {
  /** Leading records that are done: acknowledged, or in the file. */
  readonly records: number;
  /** Of an export: bytes of the file that hold them. */
  readonly bytes?: number;
  /** Of an export: where to go on. */
  readonly cursor?: string;
  /** Of an export or copy: damaged keys that were passed by. */
  readonly damaged?: number;
  /** Of the records: left out, as they had expired. */
  readonly expired?: number;
  /** Of the records of an import: skipped. */
  readonly skipped?: number;
}

/** Beside the records. */
const counted = ['bytes', 'damaged', 'expired', 'skipped'] as const;

/**
 * How far an import or export came, kept in a small file beside the large one. What lies behind may have been done too;
 * it is done again, to the same effect.
 */
export class Checkpoint {
  readonly path: string;
  readonly #identity: TransferIdentity;

  constructor(path: string, identity: TransferIdentity) {
    this.path = path;
    this.#identity = identity;
  }

  /** Where to go on, or undefined where there is no checkpoint of this very transfer. */
  async load(): Promise<TransferState | undefined> {
    const text = await readFile(this.path, 'utf8').catch(() => '');
    const found = parse(text);
    const same = Object.entries(this.#identity).every(([field, value]) => found[field] === value);
    const { records, cursor } = found;
    if (!same || !isCount(records) || records === 0) return undefined;
    const counts = counted.flatMap((name) => (isCount(found[name]) ? [[name, found[name]]] : []));
    return { records, ...(typeof cursor === 'string' ? { cursor } : {}), ...Object.fromEntries(counts) };
  }

  /** Replaces the file in one step, so that a crash leaves the old one or the new one. @throws what systemFailure makes */
  async save(state: TransferState): Promise<void> {
    await this.#writing(async (draft) => {
      await writeFile(draft, `${JSON.stringify({ ...this.#identity, ...state })}\n`);
      await rename(draft, this.path);
    });
  }

  /** Asked before anything is transferred. @throws what systemFailure makes where it could not be saved */
  async checkWritable(): Promise<void> {
    await this.#writing(async (draft) => {
      await writeFile(draft, '');
      await rm(draft);
    });
  }

  async #writing(write: (draft: string) => Promise<void>): Promise<void> {
    const draft = draftOf(this.path);
    try {
      await write(draft);
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {});
      throw systemFailure('how far it came cannot be written', error);
    }
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }
}

/** Written first, and then put in the checkpoint's place. */
export function draftOf(path: string): string {
  return `${path}.tmp`;
}

/** Tells a file from others without reading all of it; one that was written since is another one, also of the same size. */
export async function fileIdentity(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size, mtimeNs } = await file.stat({ bigint: true });
    const head = Buffer.alloc(Math.min(Number(size), headBytes));
    await file.read(head, 0, head.length, 0);
    return createHash('sha256').update(`${size}:${mtimeNs}:`).update(head).digest('hex');
  } finally {
    await file.close();
  }
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const content: unknown = JSON.parse(text);
    return typeof content === 'object' && content !== null ? (content as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
