import { type FileHandle, open } from 'node:fs/promises';
import type { Entry } from '../../client/listing.ts';
import type { FileFormat } from '../formats/file-format.ts';
import { closingText, recordText } from '../formats/write-records.ts';
import { systemFailure } from '../system-failure.ts';
import type { Checkpoint, TransferState } from './checkpoint.ts';

export interface Exported {
  readonly records: number;
  /** Keys whose records are damaged. */
  readonly damaged: number;
}

/** Bytes that are gathered before they are written. */
const pieceBytesMax = 1024 * 1024;

export interface ExportPlan {
  readonly path: string;
  readonly format: FileFormat;
  readonly checkpoint: Checkpoint;
  /** All entries, or those behind a cursor. */
  readonly entries: (cursor: string | undefined) => AsyncIterable<Entry<unknown>>;
  /** Damaged keys that `entries` has passed by so far. */
  readonly damaged: () => number;
  readonly goingOn: (records: number) => void;
  readonly progress: (records: number) => void;
}

/**
 * Writes all entries into a file. Interrupted, the next run cuts the file where the last page ended and goes on there.
 * Returns the number of records in the file, and of damaged ones that are not. @throws what systemFailure makes where the file cannot be written
 */
export async function exportFile(plan: ExportPlan): Promise<Exported> {
  const { path, format, checkpoint } = plan;
  const from = await resumable(plan);
  const file = await open(path, from === undefined ? 'w' : 'r+').catch(cannotWrite);
  try {
    let records = from?.records ?? 0;
    let bytes = from?.bytes ?? 0;
    const damaged = () => (from?.damaged ?? 0) + plan.damaged();
    await file.truncate(bytes).catch(cannotWrite);
    let piece = '';
    const flush = async () => {
      const data = Buffer.from(piece);
      await writeWhole(file, data, bytes).catch(cannotWrite);
      bytes += data.length;
      piece = '';
    };
    for await (const entry of plan.entries(from?.cursor)) {
      piece += recordText(format, entry, records === 0);
      plan.progress(++records);
      if (piece.length >= pieceBytesMax || entry.cursor !== undefined) await flush();
      if (entry.cursor === undefined) continue;
      await file.datasync().catch(cannotWrite); // A checkpoint never says more than what a crash leaves.
      await checkpoint.save({ records, bytes, cursor: entry.cursor, damaged: damaged() });
    }
    piece += closingText(format, records);
    await flush();
    await file.sync().catch(cannotWrite);
    await checkpoint.remove();
    return { records, damaged: damaged() };
  } finally {
    await file.close();
  }
}

/** Also whoever writes into what is no file says so. */
export function cannotWrite(error: Error): never {
  throw systemFailure('--output cannot be written', error);
}

/** A write may end early, where the disk is nearly full, say; the next one tells why. */
async function writeWhole(file: FileHandle, data: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const { bytesWritten } = await file.write(data, done, data.length - done, at + done);
    done += bytesWritten;
  }
}

/** Where to go on, if the file still has what the checkpoint says. */
async function resumable({ path, checkpoint, goingOn }: ExportPlan): Promise<TransferState | undefined> {
  const state = await checkpoint.load();
  if (state?.bytes === undefined || state.cursor === undefined) return undefined;
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return undefined;
  const { size } = await file.stat().finally(() => file.close());
  if (size < state.bytes) return undefined;
  goingOn(state.records);
  return state;
}
