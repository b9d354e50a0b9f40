import { setMaxListeners } from 'node:events';
import type { BatchMutation, BatchResult } from '../../client/batch-write.ts';
import { isMeridianError, toMeridianError } from '../../model/errors.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';
import { Semaphore } from '../../runtime/semaphore.ts';
import { type ImportRecord, toPut } from '../formats/import-record.ts';

/** Records and bytes of one batch; a larger record goes alone. */
const batchRecordsMax = 500;
const batchBytesMax = 2 * 1024 * 1024;

export interface ImportOptions {
  /** Leading records that are acknowledged already. */
  readonly skip: number;
  /** Batches under way at once. */
  readonly concurrency: number;
  /** For how long one batch is tried again where the cluster cannot be reached or asks for patience. */
  readonly retryMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly write: (mutations: readonly BatchMutation[], signal: AbortSignal) => Promise<BatchResult>;
  /** So many records were left out, for they had expired. Counted as done. */
  readonly leftOut: (records: number) => void;
  /** The number of leading records that are acknowledged has grown to this. Not called again before it resolves. */
  readonly advanced: (records: number) => Promise<void>;
}

interface Batch {
  readonly mutations: readonly BatchMutation[];
  /** Number of records up to and with this batch, from the file's beginning. */
  readonly end: number;
}

/**
 * Writes records in batches, several at once, and counts a batch only when it and all before it are acknowledged.
 * Returns the number of leading records acknowledged; throws what stopped it, after the batches under way have ended.
 */
export async function importRecords(records: AsyncIterable<ImportRecord>, options: ImportOptions): Promise<number> {
  const places = new Semaphore(options.concurrency);
  const failing = new AbortController();
  const signal = AbortSignal.any([options.signal, failing.signal]);
  // Every batch that waits to be tried again listens.
  setMaxListeners(0, signal);
  const prefix = new AcknowledgedPrefix(options.skip, options.advanced);
  const running = new Set<Promise<void>>();
  const underWay = new Set<string>();
  const send = async (batch: Batch) => {
    try {
      await writeWithRetry(batch, options, signal);
      await prefix.acknowledge(batch.end);
    } catch (error) {
      failing.abort(error);
    } finally {
      places.release();
    }
  };
  try {
    for await (const batch of batches(records, options.skip)) {
      await places.acquire(signal);
      // Of two records of one key the later one in the file is to win.
      if (batch.mutations.some(({ key }) => underWay.has(key))) await Promise.all(running);
      prefix.sent(batch.end);
      for (const { key } of batch.mutations) underWay.add(key);
      const sending = send(batch).finally(() => {
        for (const { key } of batch.mutations) underWay.delete(key);
        running.delete(sending);
      });
      running.add(sending);
    }
  } finally {
    await Promise.all(running);
  }
  signal.throwIfAborted();
  return prefix.records;
}

/** Joins records into batches, leaving out the first ones. */
async function* batches(records: AsyncIterable<ImportRecord>, skip: number): AsyncGenerator<Batch, void, undefined> {
  let mutations: BatchMutation[] = [];
  let bytes = 0;
  let count = 0;
  for await (const record of records) {
    if (++count <= skip) continue;
    const size = record.value.byteLength + record.key.length;
    const isFull = mutations.length >= batchRecordsMax || bytes + size > batchBytesMax;
    if (mutations.length > 0 && isFull) {
      yield { mutations, end: count - 1 };
      mutations = [];
      bytes = 0;
    }
    mutations.push(toPut(record));
    bytes += size;
  }
  if (mutations.length > 0) yield { mutations, end: count };
}

/** What expired before it could be written would refuse its batch: a file is often older than what it holds. */
async function writeWithRetry({ mutations: all }: Batch, options: ImportOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, retryMs, leftOut } = options;
  let mutations = all;
  const leaveOut = (throughSeconds: number): boolean => {
    const left = mutations.filter((put) => !(put.kind === 'put' && (put.expiration ?? Infinity) <= throughSeconds));
    const isLess = left.length < mutations.length;
    if (isLess) leftOut(mutations.length - left.length);
    mutations = left;
    return isLess;
  };
  leaveOut(clock.wallMs() / 1000);
  const backoff = new Backoff({ firstMs: 200, mostMs: 5000 }, random);
  const giveUpMs = clock.monotonicMs() + retryMs;
  for (;;) {
    try {
      if (mutations.length > 0) await options.write(mutations, signal);
      return;
    } catch (error) {
      // The origin's clock decides.
      if (isMeridianError(error) && error.details.reason === 'expiry-past' && leaveOut(error.details.limit ?? 0))
        continue;
      // Writing the same values once more does no harm, so an unknown outcome is no reason to stop.
      const mayPass =
        isMeridianError(error, 'UNAVAILABLE') ||
        isMeridianError(error, 'RESOURCE_EXHAUSTED') ||
        isMeridianError(error, 'DEADLINE_EXCEEDED');
      if (!mayPass || clock.monotonicMs() >= giveUpMs) throw error;
      await sleep(clock, Math.max(backoff.nextMs(), toMeridianError(error).details.retryAfterMs ?? 0), signal);
    }
  }
}

/** Batches end in any order; only an unbroken beginning counts. */
class AcknowledgedPrefix {
  records: number;
  readonly #advanced: (records: number) => Promise<void>;
  /** Ends of the batches sent and not yet counted, in order, each with whether it is acknowledged. */
  readonly #open: Array<{ readonly end: number; acknowledged: boolean }> = [];
  #telling: Promise<void> = Promise.resolve();

  constructor(records: number, advanced: (records: number) => Promise<void>) {
    this.records = records;
    this.#advanced = advanced;
  }

  sent(end: number): void {
    this.#open.push({ end, acknowledged: false });
  }

  async acknowledge(end: number): Promise<void> {
    const batch = this.#open.find((open) => open.end === end);
    if (batch !== undefined) batch.acknowledged = true;
    const before = this.records;
    while (this.#open[0]?.acknowledged) this.records = this.#open.shift()?.end ?? this.records;
    if (this.records === before) return;
    this.#telling = this.#telling.then(() => this.#advanced(this.records));
    await this.#telling;
  }
}
