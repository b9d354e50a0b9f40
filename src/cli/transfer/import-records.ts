import { setMaxListeners } from 'node:events';
import { Semaphore } from '../../runtime/semaphore.ts';
import { untilAborted } from '../../runtime/until-aborted.ts';
import type { ImportRecord } from '../formats/import-record.ts';
import type { UsageError } from '../usage-error.ts';
import { AcknowledgedPrefix } from './acknowledged-prefix.ts';
import { type BatchWriting, type NumberedRecord, writeBatch } from './write-batch.ts';

/** Records and bytes of one batch; a larger record goes alone. */
const batchRecordsMax = 1000;
const batchBytesMax = 2 * 1024 * 1024;
/** Bytes of the batches under way; a larger one goes alone. */
const underWayBytesMax = 64 * 1024 * 1024;

/** What stands in a file where a record should, and cannot be read as one. */
export interface UnreadImport {
  readonly unread: UsageError;
  /** Bytes may be no UTF-8. */
  readonly text: string | Uint8Array;
}

export interface ImportOptions extends BatchWriting {
  /** Leading records that are acknowledged already. */
  readonly skip: number;
  /** Batches under way at once. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
  /** The number of leading records that are acknowledged has grown to this. Not called again before it resolves. */
  readonly advanced: (records: number) => Promise<void>;
}

interface Batch {
  readonly records: readonly NumberedRecord[];
  readonly bytes: number;
  /** Number of records up to and with this batch, from the file's beginning. */
  readonly end: number;
}

/**
 * Writes records in batches, several at once, and counts a batch only when it and all before it are acknowledged.
 * Returns the number of leading records acknowledged; throws what stopped it, after the batches under way have ended.
 */
export async function importRecords(
  records: AsyncIterable<ImportRecord | UnreadImport>,
  options: ImportOptions,
): Promise<number> {
  const places = new Semaphore(options.concurrency);
  const failing = new AbortController();
  const signal = AbortSignal.any([options.signal, failing.signal]);
  // Every batch that waits to be tried again listens.
  setMaxListeners(0, signal);
  const prefix = new AcknowledgedPrefix(options.skip, options.advanced, (error) => failing.abort(error));
  const underWay = new BatchesUnderWay();
  const send = (batch: Batch) =>
    writeBatch(batch.records, options, signal)
      .then(() => prefix.acknowledge(batch.end))
      .catch((error: unknown) => failing.abort(error))
      .finally(() => places.release());
  const reading = batches(records, options);
  try {
    for (;;) {
      // What is read may come late or never, from a pipe say: a failure is told at once.
      const next = await untilAborted(reading.next(), signal);
      if (next.done === true) break;
      const batch = next.value;
      await places.acquire(signal);
      await underWay.room(batch);
      signal.throwIfAborted();
      prefix.sent(batch.end);
      underWay.add(batch, send(batch));
    }
  } finally {
    reading.return().catch(() => {});
    await underWay.ended();
    await prefix.told();
  }
  signal.throwIfAborted();
  return prefix.records;
}

class BatchesUnderWay {
  readonly #running = new Set<Promise<void>>();
  readonly #keys = new Set<string>();
  #bytes = 0;

  /** Resolves when there is room for its bytes, and nothing under way writes one of its keys: of two records of one key the later one is to win. */
  async room({ records, bytes }: Batch): Promise<void> {
    if (records.some(({ record }) => this.#keys.has(record.key))) await this.ended();
    while (this.#running.size > 0 && this.#bytes + bytes > underWayBytesMax) await Promise.race(this.#running);
  }

  /** `sending` never rejects. */
  add({ records, bytes }: Batch, sending: Promise<void>): void {
    for (const { record } of records) this.#keys.add(record.key);
    this.#bytes += bytes;
    const running = sending.finally(() => {
      for (const { record } of records) this.#keys.delete(record.key);
      this.#bytes -= bytes;
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  async ended(): Promise<void> {
    await Promise.all(this.#running);
  }
}

/** Joins records into batches, leaving out the first ones. */
async function* batches(
  records: AsyncIterable<ImportRecord | UnreadImport>,
  { skip, skipped }: ImportOptions,
): AsyncGenerator<Batch, void, undefined> {
  let batch: NumberedRecord[] = [];
  let bytes = 0;
  let number = 0;
  let end = skip;
  for await (const record of records) {
    if (++number <= skip) continue;
    if ('unread' in record) {
      if (skipped === undefined) {
        // What stands before it is written, so that the next run begins at it.
        if (batch.length > 0) yield { records: batch, bytes, end: number - 1 };
        throw record.unread;
      }
      await skipped({ number, why: record.unread, text: record.text });
      continue;
    }
    const size = record.value.byteLength + record.key.length;
    const isFull = batch.length >= batchRecordsMax || bytes + size > batchBytesMax;
    if (batch.length > 0 && isFull) {
      end = number - 1;
      yield { records: batch, bytes, end };
      batch = [];
      bytes = 0;
    }
    batch.push({ number, record });
    bytes += size;
  }
  // The last records may all have been skipped.
  if (number > end) yield { records: batch, bytes, end: number };
}
