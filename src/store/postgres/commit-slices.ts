import type { RecordKey } from '../../model/key.ts';
import type { Head, Record } from '../../model/record.ts';
import { encodeDamagedRow, encodeRow } from '../record-row.ts';
import { type CommitBatch, endedAtSeconds } from '../store.ts';
import { bytesOf, emptySlice, type Slice } from './commit-statement.ts';
import { namespaceBytesOf } from './packing.ts';
import type { PostgresOptions } from './postgres-options.ts';
import { kinds } from './schema.ts';

/** A value of more bytes is kept in chunks. It is part of the format. */
export const inlineBytesMax = 64 * 1024;
/** Bytes of a chunk; the last one may be shorter. It is part of the format. */
export const chunkBytes = 512 * 1024;

export type SliceBounds = Pick<PostgresOptions, 'sliceBytesMax' | 'sliceRowsMax'>;

/** What each deleted chunk counts for, in rows: it is read and written whole. */
const rowsOfChunk = 50;
/** The chunks to expect of a key if their number is unknown: those of the largest value. */
const unknownChunks = 50;

/** No stamp: every chunk is deleted. */
const noStamp = Buffer.alloc(16);

export function isApart(head: Head): boolean {
  return head.kind === 'live' && head.valueBytes > inlineBytesMax;
}

/**
 * What a commit changes, in statements of a bounded size, made one after another. A key with stale chunks is named
 * before the chunks that take their place.
 * @param isDamaged true for a record of which it is unknown whether it has chunks
 */
export function* slicesOf(
  batch: CommitBatch,
  isDamaged: (key: RecordKey) => boolean,
  { sliceBytesMax, sliceRowsMax }: SliceBounds,
): Generator<Slice, void> {
  let slice = emptySlice();
  let rows = 0;
  for (const { add, weight = 1 } of changesOf(batch, isDamaged)) {
    if (rows > 0 && (rows + weight > sliceRowsMax || bytesOf(slice) >= sliceBytesMax)) {
      yield slice;
      slice = emptySlice();
      rows = 0;
    }
    add(slice);
    rows += weight;
  }
  yield slice;
}

interface Change {
  readonly add: (slice: Slice) => void;
  /** In rows. Default 1. */
  readonly weight?: number;
}

function* changesOf(
  { puts, removals, discards = [], lost = [], meta }: CommitBatch,
  isDamaged: (key: RecordKey) => boolean,
): Generator<Change, void> {
  const dropsChunks = (key: RecordKey, held: Head | undefined) => (held === undefined ? isDamaged(key) : isApart(held));
  for (const head of removals) {
    yield { add: (slice) => addKey(slice.gone, head) };
    if (dropsChunks(head, head)) yield staleChunks(head, head);
  }
  for (const key of discards) {
    yield { add: (slice) => addKey(slice.gone, key) };
    yield staleChunks(key, undefined);
  }
  for (const each of lost) {
    if (dropsChunks(each, each.held)) yield staleChunks(each, each.held);
    const row = { head: encodeDamagedRow(each.position), kind: kinds.damaged, ended: 0 };
    yield { add: (slice) => addRow(slice, each, row) };
  }
  for (const { record, held } of puts) {
    if (dropsChunks(record, held)) yield staleChunks(record, held, stampBytesOf(record));
    yield { add: (slice) => addRecord(slice, record) };
    if (record.kind === 'live' && record.value.byteLength > inlineBytesMax) yield* chunksOf(record);
  }
  for (const [name, value] of meta) {
    const bytes = Buffer.from(name);
    yield value === undefined
      ? { add: (slice) => slice.metaGone.add([bytes], [bytes.byteLength]) }
      : { add: (slice) => slice.meta.add([bytes, value], [bytes.byteLength, value.byteLength]) };
  }
}

function* chunksOf(record: Record & { readonly kind: 'live' }): Generator<Change, void> {
  const { value } = record;
  const key = Buffer.from(record.key);
  const stamp = stampBytesOf(record);
  for (let part = 0; part * chunkBytes < value.byteLength; part++) {
    const chunk = value.subarray(part * chunkBytes, (part + 1) * chunkBytes);
    const bytes = [namespaceBytesOf(record.namespace), key, stamp, chunk];
    yield { add: (slice) => slice.chunks.add(bytes, [key.byteLength, part, chunk.byteLength]) };
  }
}

/** Deletes the chunks of a key, except those of one stamp. */
function staleChunks(key: RecordKey, held: Head | undefined, but: Buffer = noStamp): Change {
  const chunks = held?.kind === 'live' ? Math.ceil(held.valueBytes / chunkBytes) : unknownChunks;
  return {
    add: (slice) => addStaleChunks(slice, key, but),
    weight: chunks * rowsOfChunk,
  };
}

function addKey(rows: Slice['gone'], { namespace, key }: RecordKey): void {
  const bytes = Buffer.from(key);
  rows.add([namespaceBytesOf(namespace), bytes], [bytes.byteLength]);
}

function addStaleChunks(slice: Slice, { namespace, key }: RecordKey, but: Buffer): void {
  const bytes = Buffer.from(key);
  slice.staleChunks.add([namespaceBytesOf(namespace), bytes, but], [bytes.byteLength]);
}

function addRecord(slice: Slice, record: Record): void {
  const value = record.kind === 'live' && record.value.byteLength <= inlineBytesMax ? record.value : undefined;
  const row = {
    head: encodeRow(record, -1),
    kind: kinds[record.kind],
    ended: endedAtSeconds(record),
    ...(value === undefined ? {} : { value }),
  };
  addRow(slice, record, row);
}

function addRow(
  slice: Slice,
  { namespace, key, position }: RecordKey & Pick<Record, 'position'>,
  {
    head,
    kind,
    ended = Number.NaN,
    value,
  }: {
    readonly head: Uint8Array;
    readonly kind: number;
    readonly ended?: number | undefined;
    readonly value?: Uint8Array;
  },
): void {
  const bytes = Buffer.from(key);
  const parts = [namespaceBytesOf(namespace), bytes, Buffer.from(position.log, 'hex'), head];
  if (value !== undefined) parts.push(value);
  slice.puts.add(parts, [
    bytes.byteLength,
    head.byteLength,
    value?.byteLength ?? Number.NaN,
    position.sequence,
    kind,
    ended,
  ]);
}

function stampBytesOf({ stamp }: Pick<Record, 'stamp'>): Buffer {
  return Buffer.from(stamp, 'hex');
}
