import type { BatchMutation } from '../../client/batch-write.ts';
import type { ReadOptions, WriteOptions } from '../../client/call-options.ts';
import type { Namespace } from '../../client/namespace.ts';
import type { Durability } from '../../model/key-value.ts';
import type { ImportRecord } from '../formats/import-record.ts';
import type { TransferState } from './checkpoint.ts';
import { deleteUnchanged, type ReadVersion } from './delete-unchanged.ts';
import { type ImportOptions, importRecords } from './import-records.ts';
import { PlacedCount } from './placed-count.ts';
import { entriesPatiently, type Reading } from './read-patiently.ts';

/** What becomes of a prefix. */
export interface CopyPlan extends Pick<ImportOptions, 'clock' | 'random' | 'concurrency' | 'retryMs' | 'signal'> {
  readonly source: Pick<Namespace, 'entries' | 'write'>;
  /** How long a page of the source is asked for again. */
  readonly reading: Reading;
  readonly target: Pick<Namespace, 'write'>;
  readonly prefix: string;
  /** What stands in its place at the target. */
  readonly toPrefix: string;
  readonly read: ReadOptions;
  readonly write: WriteOptions;
  /** Told of the level that a batch reached; what it throws means that the batch is not acknowledged. */
  readonly checkLevel: (reached: Durability) => void;
  /** A key is deleted at the source once it is acknowledged at the target, if it is there as it was read. */
  readonly isMove: boolean;
  /** Where an earlier run came to. */
  readonly from?: TransferState | undefined;
  /** So many records are acknowledged now; with the last place where another run can go on, if it is a later one. */
  readonly advanced: (records: number, goOn: TransferState | undefined) => Promise<void>;
  readonly onDamaged: (key: string) => void;
  /** A key that was changed or deleted at the source between its reading and its deletion there. */
  readonly onChanged: (key: string) => void;
}

export interface Copied {
  /** Acknowledged at the target, with those of the earlier run. */
  readonly records: number;
  /** Of them, left out because they had expired meanwhile. */
  readonly expired: number;
  /** Passed by as damaged, with those of the earlier run. */
  readonly damaged: number;
}

/** What is to be told in the end, by its place among the records of this run. */
interface Counts {
  readonly expired: PlacedCount;
  readonly damaged: PlacedCount;
}

/** Where the source's list goes on behind so many records. */
interface Mark {
  readonly records: number;
  readonly cursor: string;
}

/** How each value that is on its way was read. */
type Origins = WeakMap<object, ReadVersion>;

/**
 * Copies the records of a prefix, or moves them: value, metadata and expiry as they are, versions anew. What is written to
 * the source meanwhile may come with its old or its new value. @throws what stopped it, after what was under way has ended
 */
export async function copyRecords(plan: CopyPlan): Promise<Copied> {
  const { clock, random, concurrency, retryMs, signal } = plan;
  const before = plan.from?.records ?? 0;
  const marks: Mark[] = [];
  const origins: Origins = new WeakMap();
  const counts: Counts = {
    expired: new PlacedCount(plan.from?.expired),
    damaged: new PlacedCount(plan.from?.damaged),
  };
  const records = await importRecords(readRecords(plan, marks, origins, counts.damaged), {
    ...{ clock, random, concurrency, retryMs, signal, skip: 0 },
    write: async (mutations, aborted) => {
      const result = await plan.target.write(mutations, { ...plan.write, signal: aborted });
      plan.checkLevel(result.durability);
      if (plan.isMove) await deleteAtSource(plan, originsOf(mutations, origins), aborted);
      return result;
    },
    leftOut: (number) => counts.expired.add(number),
    advanced: async (count) => {
      let passed: Mark | undefined;
      while ((marks[0]?.records ?? Number.POSITIVE_INFINITY) <= count) passed = marks.shift();
      await plan.advanced(before + count, passed && stateAt(passed, before, counts));
    },
  });
  return { records: before + records, expired: counts.expired.total, damaged: counts.damaged.total };
}

function stateAt({ records, cursor }: Mark, before: number, { expired, damaged }: Counts): TransferState {
  return { records: before + records, cursor, expired: expired.upTo(records), damaged: damaged.upTo(records) };
}

async function* readRecords(
  { source, prefix, toPrefix, reading, read, from, onDamaged }: CopyPlan,
  marks: Mark[],
  origins: Origins,
  damaged: PlacedCount,
): AsyncGenerator<ImportRecord, void, undefined> {
  const goOn = from?.cursor === undefined ? {} : { cursor: from.cursor };
  let records = 0;
  const passBy = (key: string) => {
    // Told before the next record comes: behind the place where another run may go on.
    damaged.add(records + 1);
    onDamaged(key);
  };
  for await (const entry of entriesPatiently(source, reading, { ...read, prefix, onDamaged: passBy, ...goOn })) {
    const { name, value, version, metadataText, expiration, cursor } = entry;
    records++;
    if (cursor !== undefined) marks.push({ records, cursor });
    origins.set(value, { key: name, version });
    yield {
      key: toPrefix + name.slice(prefix.length),
      value,
      ...(metadataText === null ? {} : { metadataText }),
      ...(expiration === null ? {} : { expiration }),
    };
  }
}

function originsOf(mutations: readonly BatchMutation[], origins: Origins): readonly ReadVersion[] {
  return mutations.flatMap((mutation) => {
    const isBytes = mutation.kind === 'put' && mutation.value instanceof Uint8Array;
    return isBytes ? (origins.get(mutation.value) ?? []) : [];
  });
}

async function deleteAtSource(plan: CopyPlan, keys: readonly ReadVersion[], signal: AbortSignal): Promise<void> {
  const { source, write, retryMs, clock, random } = plan;
  const changed = await deleteUnchanged(source, keys, { write, retryMs, clock, random, signal });
  for (const key of changed) plan.onChanged(key);
}
