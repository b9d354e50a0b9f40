import type { RecordKey } from '../model/key.ts';
import type { NamespaceId } from '../model/namespace.ts';
import type { LogId, Position } from '../model/position.ts';
import type { Head, LiveHead, Record, Tombstone } from '../model/record.ts';
import { bottomStamp } from '../model/stamp.ts';

/**
 * Durable records, an index of them by position, and small named state, all changed in atomic batches. No caller knows
 * what is underneath. Every method may throw DATA_LOSS (damaged) or INTERNAL (the disk failed).
 */
export interface Store {
  /** What is held for each key, without values. A damaged record is reported to `onDamaged`, and undefined here. */
  heads(keys: readonly RecordKey[], onDamaged?: OnDamaged): Promise<ReadonlyArray<Head | undefined>>;
  /** @throws DATA_LOSS if the record is damaged: never another value, and never its absence */
  read(key: RecordKey): Promise<Record | undefined>;
  /**
   * As `read`, at once, if that takes a few microseconds: for a small value in a store without damage. Undefined if it
   * must be awaited. A store whose every read takes a round trip leaves this out.
   */
  readNow?(key: RecordKey): ReadNow | undefined;
  /** Named state, by the names that earlier batches gave it. */
  meta(name: string): Promise<Uint8Array | undefined>;
  /** The names of all named state, sorted. */
  metaNames(): Promise<readonly string[]>;
  /**
   * All or nothing, in the order of the calls. Resolves once the batch is visible and, with `sync`, on disk together
   * with every batch before it. After a rejection the store takes nothing more until `reopen` (rule R2). One exception
   * is RESOURCE_EXHAUSTED (`disk-full`): that batch was not begun, and everything else goes on.
   */
  commit(batch: CommitBatch): Promise<void>;
  /** Taken synchronously: sees exactly the batches whose commit has resolved, and maybe ones under way. */
  snapshot(): Snapshot;
  /** Closes and opens again, so that what is held is what the disk holds. */
  reopen(): Promise<void>;
  /** Deletes every record and all named state, synced. Interrupted, it leaves all, or a store without named state. */
  erase(): Promise<void>;
  /**
   * Gives the disk space of that namespace's removed records back. May take long; commits and reads go on meanwhile,
   * `close` and `reopen` wait for it.
   */
  reclaim(namespace: NamespaceId): Promise<void>;
  /** The damaged records that were found so far and not yet overwritten. */
  damaged(): readonly Damaged[];
  /** How the store and its disk are now. A few microseconds. */
  condition(): StoreCondition;
  /** About how many bytes are on disk. */
  approximateBytes(): Promise<number>;
  close(): Promise<void>;
}

/** What was found; undefined = it is known that there is no record. */
export interface ReadNow {
  readonly record: Record | undefined;
}

/**
 * A record that is held and cannot be read. Readers that give `onDamaged` skip it; others end with DATA_LOSS. A put of
 * its key (with `held` undefined) or a discard heals it.
 */
export interface Damaged extends RecordKey {
  /** Where it stands in the log, if that is known. */
  readonly position?: Position;
}

/** Called with each damaged record, before what follows it. */
export type OnDamaged = (damaged: Damaged) => void;

export interface StoreCondition {
  /** Damaged records that were found and not yet overwritten. */
  readonly damagedRecords: number;
  /** More may have been lost than `damagedRecords` tells: within some ranges an absent key reads as DATA_LOSS. */
  readonly absenceUncertain: boolean;
  /** There is no room for values, or the last value was refused for lack of room. */
  readonly full: boolean;
  /** Commits that were acknowledged and that the operator gave up at this opening. */
  readonly acceptedLoss: number;
}

export interface CommitBatch {
  /** At most one for a key. */
  readonly puts: readonly PutRecord[];
  /** Records to remove without a trace, as held. A key is not in `puts` as well. */
  readonly removals: readonly Head[];
  /** Damaged records to remove without a trace. */
  readonly discards?: readonly RecordKey[];
  /** Keys whose record is lost elsewhere: from then on it is damaged here too. A key is in none of the above. */
  readonly lost?: readonly LostRecord[];
  /** State to set, or with `undefined` to delete. */
  readonly meta: ReadonlyMap<string, Uint8Array | undefined>;
  readonly sync: boolean;
}

export interface LostRecord extends RecordKey {
  readonly position: Position;
  /** The head that the store holds for this key, if any: it is removed. */
  readonly held: Head | undefined;
}

export interface PutRecord {
  readonly record: Record;
  /** The head that the store holds for this key, if any; its log entry, expiry entry and value go in the same batch. */
  readonly held: Head | undefined;
}

/** A head, with its value if the two are stored together. */
export type Stored = Tombstone | (LiveHead & { readonly value?: Uint8Array });

/** One consistent view. Iterations yield pages, bounded in records and in bytes; each page is a non-empty array. */
export interface Snapshot {
  /** The complete record. */
  read(key: RecordKey): Promise<Record | undefined>;
  /** In record order (namespace, then the key's UTF-8 bytes). */
  records(range: RecordRange, onDamaged?: OnDamaged): AsyncIterable<readonly Stored[]>;
  /** The records whose position is of this log, from the sequence on, in the order of sequences. */
  log(log: LogId, fromSequence: number, onDamaged?: OnDamaged): AsyncIterable<readonly Stored[]>;
  /** Live records that expire, or tombstones, that ended at or before this second, oldest first; no damaged ones. */
  ended(kind: 'live' | 'tombstone', throughSeconds: number): AsyncIterable<readonly Head[]>;
  /** The logs that some record stands in. */
  logs(): Promise<readonly LogId[]>;
  /** Idempotent. Iterations under way end with an error. */
  close(): Promise<void>;
}

export interface RecordRange {
  /** Unset = all namespaces. */
  readonly namespace?: NamespaceId;
  /** With a namespace only. */
  readonly prefix?: string;
  /** Start after this key. */
  readonly after?: RecordKey;
  /** Records a page, at the most; default 256. A page also ends at about 256 KiB. */
  readonly pageRecordsMax?: number;
}

/**
 * When a record ended, in seconds since 1970: a live one at its expiry (`undefined` = never), a tombstone at the later
 * of its stamp's wall time and its expiry; rounded up. An absence that nobody wrote, which a cache keeps, never ended. It
 * is the place in the index behind `Snapshot.ended`.
 */
export function endedAtSeconds(head: Head | Record): number | undefined {
  if (head.kind === 'live') return head.expiresAt;
  if (head.stamp === bottomStamp) return undefined;
  return Math.max(Math.ceil(Number.parseInt(head.stamp.slice(0, 12), 16) / 1000), head.expiresAt ?? 0);
}
