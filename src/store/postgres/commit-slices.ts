import type { RecordKey } from '../../model/key.ts';
import { type Head, headOf, type Record } from '../../model/record.ts';
import { encodeDamagedRow, encodeRow } from '../record-row.ts';
import { type CommitBatch, endedAtSeconds } from '../store.ts';
import { bytesOf, emptySlice, type Slice } from './commit-statement.ts';
import { namespaceBytesOf } from './packing.ts';
import { kinds } from './schema.ts';

/** A value of more bytes is kept in chunks. It is part of the format. */
export const inlineBytesMax = 64 * 1024;
/** Bytes of a chunk; the last one may be shorter. It is part of the format. */
export const chunkBytes = 512 * 1024;

/** Bytes and rows of one statement, about: what the server and this side hold of a batch at once. */
const sliceBytesMax = 1024 * 1024;
const sliceRowsMax = 5_000;

/** No stamp: every chunk goes. */
const noStamp = Buffer.alloc(16);

export function isApart(head: Head): boolean {
  return head.kind === 'live' && head.valueBytes > inlineBytesMax;
}

/**
 * What a commit changes, in statements of a bounded size, made one after another. A key that has stale chunks is named
 * before the chunks that take their place.
 * @param isDamaged a record of which nobody knows whether it has chunks
 */
export function* slicesOf(batch: CommitBatch, isDamaged: (key: RecordKey) => boolean): Generator<Slice, void> {
  let slice = emptySlice();
  let rows = 0;
  for (const add of changesOf(batch, isDamaged)) {
    add(slice);
    rows++;
    if (rows < sliceRowsMax && bytesOf(slice) < sliceBytesMax) continue;
    yield slice;
    slice = emptySlice();
    rows = 0;
  }
  yield slice;
}

type AddTo = (slice: Slice) => void;

function* changesOf(
  { puts, removals, discards = [], lost = [], meta }: CommitBatch,
  isDamaged: (key: RecordKey) => boolean,
): Generator<AddTo, void> {
  const dropsChunks = (key: RecordKey, held: Head | undefined) => (held === undefined ? isDamaged(key) : isApart(held));
  for (const head of removals) {
    yield (slice) => addKey(slice.gone, head);
    if (dropsChunks(head, head)) yield (slice) => addStaleChunks(slice, head);
  }
  for (const key of discards) {
    yield (slice) => addKey(slice.gone, key);
    yield (slice) => addStaleChunks(slice, key);
  }
  for (const each of lost) {
    if (dropsChunks(each, each.held)) yield (slice) => addStaleChunks(slice, each);
    yield (slice) => addRow(slice, each, { head: encodeDamagedRow(each.position), kind: kinds.damaged, ended: 0 });
  }
  for (const { record, held } of puts) {
    if (dropsChunks(record, held)) yield (slice) => addStaleChunks(slice, record, stampBytesOf(record));
    yield (slice) => addRecord(slice, record);
    if (record.kind === 'live' && record.value.byteLength > inlineBytesMax) yield* chunksOf(record);
  }
  for (const [name, value] of meta) {
    const bytes = Buffer.from(name);
    yield value === undefined
      ? (slice) => slice.metaGone.add([bytes], [bytes.byteLength])
      : (slice) => slice.meta.add([bytes, value], [bytes.byteLength, value.byteLength]);
  }
}

function* chunksOf(record: Record & { readonly kind: 'live' }): Generator<AddTo, void> {
  const { value } = record;
  const key = Buffer.from(record.key);
  const stamp = stampBytesOf(record);
  for (let part = 0; part * chunkBytes < value.byteLength; part++) {
    const chunk = value.subarray(part * chunkBytes, (part + 1) * chunkBytes);
    const bytes = [namespaceBytesOf(record.namespace), key, stamp, chunk];
    yield (slice) => slice.chunks.add(bytes, [key.byteLength, part, chunk.byteLength]);
  }
}

function addKey(rows: Slice['gone'], { namespace, key }: RecordKey): void {
  const bytes = Buffer.from(key);
  rows.add([namespaceBytesOf(namespace), bytes], [bytes.byteLength]);
}

function addStaleChunks(slice: Slice, { namespace, key }: RecordKey, but: Buffer = noStamp): void {
  const bytes = Buffer.from(key);
  slice.staleChunks.add([namespaceBytesOf(namespace), bytes, but], [bytes.byteLength]);
}

function addRecord(slice: Slice, record: Record): void {
  const value = record.kind === 'live' && record.value.byteLength <= inlineBytesMax ? record.value : undefined;
  const row = {
    head: encodeRow(record, -1),
    kind: kinds[record.kind],
    ended: endedAtSeconds(headOf(record)),
    ...(value === undefined ? {} : { value }),
  };
  addRow(slice, { ...record, position: record.position }, row);
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
