import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FeedEvent } from '../model/feed.ts';
import type { BackupTarget } from './backup-target.ts';
import { eventBytes } from './event-bytes.ts';
import { type BackupPart, partPath, type Unfinished } from './manifest.ts';

/** Bytes of events in one part before they are compressed; an event that is larger is a part by itself. */
const partBytes = 16 * 1024 * 1024;

const compress = promisify(gzip);

/**
 * Collects events, and writes them as parts. Their names are this process's own: one that took the same backup up, or left
 * it to this one, may still be writing, and no part that a manifest speaks of may be written over.
 */
export class PartWriter {
  readonly #target: BackupTarget;
  readonly #id: string;
  readonly #taker: string;
  readonly #parts: BackupPart[];
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(target: BackupTarget, { id, taker }: Pick<Unfinished, 'id' | 'taker'>, parts: readonly BackupPart[]) {
    this.#target = target;
    this.#id = id;
    this.#taker = taker;
    this.#parts = [...parts];
  }

  get parts(): readonly BackupPart[] {
    return this.#parts;
  }

  /** True once what was added is a part's worth. */
  get isFull(): boolean {
    return this.#bytes >= partBytes;
  }

  add(event: FeedEvent): void {
    for (const chunk of eventBytes(event)) {
      this.#chunks.push(chunk);
      this.#bytes += chunk.byteLength;
    }
  }

  /** Writes what was added since the last part. */
  async finish(): Promise<void> {
    if (this.#bytes === 0) return;
    const compressed = await compress(Buffer.concat(this.#chunks));
    this.#chunks = [];
    this.#bytes = 0;
    const name = `${String(this.#parts.length + 1).padStart(6, '0')}-${this.#taker}.gz`;
    await this.#target.write(partPath(this.#id, name), compressed);
    const sha256 = createHash('sha256').update(compressed).digest('hex');
    this.#parts.push({ name, bytes: compressed.byteLength, sha256 });
  }
}
