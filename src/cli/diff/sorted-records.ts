import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { compareKeys } from '../../model/key.ts';
import { systemFailure } from '../system-failure.ts';
import type { ComparedRecord } from './compared-record.ts';

export interface SortingBounds {
  /** Records that are sorted in memory at once. */
  readonly runRecordsMax: number;
  /** Sorted runs in files, which are open at once while they are merged. */
  readonly runsMax: number;
}

/** Some 100 MiB of memory at the most. */
const defaultBounds: SortingBounds = { runRecordsMax: 200_000, runsMax: 64 };

/**
 * Records in the order of their keys' bytes, whatever theirs was; of several of one key the last one. What does not fit
 * into memory is sorted in runs, in files of a temporary folder that goes in the end.
 */
export async function* sortedRecords(
  records: AsyncIterable<ComparedRecord>,
  { runRecordsMax, runsMax }: SortingBounds = defaultBounds,
): AsyncGenerator<ComparedRecord, void, undefined> {
  let run = new Map<string, ComparedRecord>();
  let folder: RunFolder | undefined;
  try {
    for await (const record of records) {
      run.set(record.key, record);
      if (run.size < runRecordsMax) continue;
      folder ??= await RunFolder.make();
      if (folder.runs === runsMax) await folder.joinAll();
      await folder.add(inOrder(run));
      run = new Map();
    }
    if (folder === undefined) yield* inOrder(run);
    else {
      await folder.add(inOrder(run));
      yield* folder.merged();
    }
  } finally {
    await folder?.remove();
  }
}

function inOrder(run: ReadonlyMap<string, ComparedRecord>): readonly ComparedRecord[] {
  return [...run.values()].sort((a, b) => compareKeys(a.key, b.key));
}

/** Sorted runs, the earliest first, in a file each: one JSON array a line. */
class RunFolder {
  readonly #path: string;
  #files: string[] = [];
  #made = 0;

  private constructor(path: string) {
    this.#path = path;
  }

  static async make(): Promise<RunFolder> {
    return new RunFolder(await mkdtemp(join(tmpdir(), 'meridian-diff-')).catch(cannotSort));
  }

  get runs(): number {
    return this.#files.length;
  }

  async add(records: Iterable<ComparedRecord> | AsyncIterable<ComparedRecord>): Promise<void> {
    const file = join(this.#path, String(this.#made++));
    await pipeline(Readable.from(linesOf(records)), createWriteStream(file)).catch(cannotSort);
    this.#files.push(file);
  }

  /** Makes one run of all. */
  async joinAll(): Promise<void> {
    const joined = [...this.#files];
    await this.add(this.merged());
    this.#files = this.#files.slice(joined.length);
    await Promise.all(joined.map((file) => rm(file)));
  }

  /** Of several records of one key the one of the latest run. */
  async *merged(): AsyncGenerator<ComparedRecord, void, undefined> {
    const sources = this.#files.map((file) => recordsIn(file));
    try {
      const heads = await Promise.all(sources.map((source) => source.next()));
      for (;;) {
        let least: ComparedRecord | undefined;
        for (const { done, value } of heads) {
          if (done !== true && (least === undefined || compareKeys(value.key, least.key) <= 0)) least = value;
        }
        if (least === undefined) return;
        yield least;
        for (const [index, { done, value }] of heads.entries()) {
          const source = sources[index];
          if (done !== true && value.key === least.key && source !== undefined) heads[index] = await source.next();
        }
      }
    } finally {
      await Promise.all(sources.map((source) => source.return()));
    }
  }

  async remove(): Promise<void> {
    await rm(this.#path, { recursive: true, force: true });
  }
}

function cannotSort(error: Error): never {
  const where = `what is to be sorted cannot be written in ${tmpdir()} (TMPDIR names another folder)`;
  throw systemFailure(where, error);
}

async function* linesOf(records: Iterable<ComparedRecord> | AsyncIterable<ComparedRecord>): AsyncGenerator<string> {
  for await (const { key, digest, metadata, expiration } of records) {
    yield `${JSON.stringify([key, digest, metadata, ...(expiration === undefined ? [] : [expiration])])}\n`;
  }
}

async function* recordsIn(file: string): AsyncGenerator<ComparedRecord, void, undefined> {
  let rest = '';
  for await (const text of createReadStream(file, 'utf8') as AsyncIterable<string>) {
    // No JSON has a line feed.
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [key, digest, metadata, expiration] = JSON.parse(line) as [string, string, string | null, number | null];
      yield { key, digest, metadata, expiration };
    }
  }
}
