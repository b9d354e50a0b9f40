import { createHash } from 'node:crypto';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';

/** Bytes from a file's beginning that, with its size, tell it from others. */
const headBytes = 1024 * 1024;

/** What a checkpoint belongs to: another file, format or namespace begins anew. */
export interface TransferIdentity {
  /** SHA-256 of the file's size and first MiB. */
  readonly file: string;
  readonly format: string;
  /** The namespace's id, so that another cluster is another target. */
  readonly namespace: string;
}

/**
 * How far an import came, kept in a file beside its input: the number of leading records of which each is acknowledged.
 * Records behind that may have been written too; they are written again, with the same values.
 */
export class Checkpoint {
  readonly path: string;
  readonly #identity: TransferIdentity;

  constructor(path: string, identity: TransferIdentity) {
    this.path = path;
    this.#identity = identity;
  }

  /** Records to skip; 0 where there is no checkpoint of this very import. */
  async load(): Promise<number> {
    const text = await readFile(this.path, 'utf8').catch(() => '');
    const { records, ...identity } = parse(text);
    const same = (Object.keys(this.#identity) as Array<keyof TransferIdentity>).every(
      (field) => identity[field] === this.#identity[field],
    );
    return same && Number.isSafeInteger(records) && Number(records) > 0 ? Number(records) : 0;
  }

  /** Replaces the file in one step, so that a crash leaves the old one or the new one. */
  async save(records: number): Promise<void> {
    const draft = `${this.path}.tmp`;
    await writeFile(draft, `${JSON.stringify({ ...this.#identity, records })}\n`);
    await rename(draft, this.path);
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }
}

/** Tells a file from others without reading all of it. */
export async function fileIdentity(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const head = Buffer.alloc(Math.min(size, headBytes));
    await file.read(head, 0, head.length, 0);
    return createHash('sha256').update(`${size}:`).update(head).digest('hex');
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
