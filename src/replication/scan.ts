import { type Cursor, cursorOf, type Epochs, epochOf } from '../model/epoch.ts';
import type { Change, Changes, ScanRange } from '../model/feed.ts';
import { type KeyRange, matches, rangesOf } from '../model/filter.ts';
import type { RecordKey } from '../model/key.ts';
import { type NamespaceId, registryNamespace } from '../model/namespace.ts';
import type { OriginId } from '../model/position.ts';
import type { Snapshot, Stored } from '../store/store.ts';
import type { LedgerState } from './ledger-state.ts';
import { type PartShape, shapeRecord } from './part-shape.ts';
import { encodeToken } from './scan-token.ts';

export interface ScanBounds {
  /** Records of one event. */
  readonly scanRecordsMax: number;
  /** Bytes of one event's values; a larger value goes alone. */
  readonly scanBytesMax: number;
}

export interface Scanning {
  readonly snapshot: Snapshot;
  /** Of the snapshot's instant. */
  readonly state: LedgerState;
  readonly shape: PartShape;
  readonly generation: string;
  readonly bounds: ScanBounds;
}

/** Collects changes up to the bounds of one event. */
class Page {
  readonly records: Change[] = [];
  #bytes = 0;
  readonly #bounds: ScanBounds;

  constructor(bounds: ScanBounds) {
    this.#bounds = bounds;
  }

  add(change: Change): void {
    this.records.push(change);
    this.#bytes += 128 + change.key.length + (change.kind === 'live' ? change.value.byteLength : 0);
  }

  get full(): boolean {
    return this.records.length >= this.#bounds.scanRecordsMax || this.#bytes >= this.#bounds.scanBytesMax;
  }
}

/** All that each origin's log holds from the cursor on. The cursor is above the floor. */
export async function* scanLog(scanning: Scanning, cursor: Cursor): AsyncGenerator<Changes> {
  const { snapshot, state, generation, bounds } = scanning;
  const reached = new Map(cursor);
  const covered = cursorOf(state.covered, state.epochs);
  for (const origin of await snapshot.logOrigins()) {
    let page = new Page(bounds);
    let last = 0;
    const flush = (): Changes => {
      reached.set(origin, componentAt(origin, Math.min(last, state.covered.get(origin) ?? 0), cursor, state.epochs));
      const token = encodeToken({ kind: 'log', cursor: reached, covered }, generation);
      const event: Changes = { kind: 'changes', records: page.records, token };
      page = new Page(bounds);
      return event;
    };
    for await (const stored of flatten(snapshot.log(origin, (cursor.get(origin)?.sequence ?? 0) + 1))) {
      const change = await changeOf(stored, scanning);
      last = stored.position.sequence;
      if (change !== undefined) page.add(change);
      if (page.full) yield flush();
    }
    if (page.records.length > 0) yield flush();
  }
}

/** All records in record order, behind `after`, of one namespace or of all. Each event tells the range that it shows. */
export async function* scanRecords(
  scanning: Scanning,
  from: Cursor,
  { after, namespace }: { readonly after?: RecordKey; readonly namespace?: NamespaceId },
): AsyncGenerator<Changes> {
  const { shape, generation, bounds } = scanning;
  let page = new Page(bounds);
  let begin = after;
  const ranges = namespace === undefined ? rangesOf(shape.filter) : [{ namespace, prefix: '' }];
  for await (const stored of recordsIn(ranges, scanning, after)) {
    const change = await changeOf(stored, scanning);
    if (change === undefined) continue;
    page.add(change);
    if (!page.full) continue;
    const last = { namespace: stored.namespace, key: stored.key };
    yield {
      kind: 'changes',
      records: page.records,
      range: openRange(begin, last),
      token: encodeToken({ kind: 'records', from, last }, generation),
    };
    begin = last;
    page = new Page(bounds);
  }
  yield { kind: 'changes', records: page.records, range: openRange(begin, undefined) };
}

/** What lies between the ranges is not read: a small part of a large store costs as much as it is large. */
async function* recordsIn(
  ranges: readonly KeyRange[],
  { snapshot }: Scanning,
  after: RecordKey | undefined,
): AsyncGenerator<Stored> {
  const behind = after === undefined ? {} : { after };
  for (const { namespace, prefix } of ranges) {
    yield* flatten(snapshot.records(namespace === '*' ? behind : { namespace, prefix, ...behind }));
  }
}

function openRange(after: RecordKey | undefined, through: RecordKey | undefined): ScanRange {
  return { ...(after === undefined ? {} : { after }), ...(through === undefined ? {} : { through }) };
}

function componentAt(origin: OriginId, sequence: number, cursor: Cursor, epochs: Epochs) {
  const begun = cursor.get(origin);
  if (begun !== undefined && begun.sequence >= sequence) return begun;
  return { sequence, epoch: epochOf(epochs.get(origin), sequence) };
}

async function* flatten(pages: AsyncIterable<readonly Stored[]>): AsyncGenerator<Stored> {
  for await (const page of pages) yield* page;
}

/** The record as the part is sent it, its value fetched where that is needed; undefined where it is not of the part. */
async function changeOf(stored: Stored, { snapshot, shape }: Scanning): Promise<Change | undefined> {
  if (!matches(shape.filter, stored.namespace, stored.key)) return undefined;
  if (stored.kind === 'tombstone') return stored;
  const { valueBytes, value, ...head } = stored;
  if (value !== undefined) return shapeRecord({ ...head, value }, shape.values);
  const { values } = shape;
  const wanted =
    values.kind === 'all' ||
    stored.namespace === registryNamespace ||
    (values.kind === 'inline' && valueBytes <= values.bytesMax);
  return wanted ? snapshot.read(stored) : { ...head, kind: 'announcement', valueBytes };
}
