import { unreachable } from '../../model/assert.ts';
import type { Change, Changes, FollowStart, Lost, ScanRange } from '../../model/feed.ts';
import { type KeyRange, matches, rangesOf } from '../../model/filter.ts';
import type { RecordKey } from '../../model/key.ts';
import { type NamespaceId, parseNamespaceId, registryNamespace } from '../../model/namespace.ts';
import { holds } from '../../model/rules.ts';
import { parseVector, type VersionVector } from '../../model/version-vector.ts';
import type { Damaged, Snapshot } from '../../store/store.ts';
import type { LedgerState } from '../ledger-state.ts';
import { type Logs, logKeyPrefixes } from '../logs.ts';
import { loggedOrDamaged, type StoredOrDamaged, unlessDamaged, withDamaged } from '../with-damaged.ts';
import type { LostScan } from './lost-scan.ts';
import { type ScopeShape, shapeRecord } from './scope-shape.ts';

/*
 * What a follower is sent of a snapshot, in one of two orders:
 *
 *     log scan       each log from the cursor on, by sequence: what changed since the cursor, however long ago that is
 *     record scan    every record, in record order: several times faster, for whoever holds nothing that counts
 *
 * Each event carries a token that says how far the scan got. A record scan that broke off goes on after its last key. A
 * log scan then closes it, from what the server covered when it began: so it shows what changed meanwhile before that
 * key.
 *
 * A record that cannot be read travels as lost (lost-scan.ts), in its place.
 *
 * A scan that passes over many records of other scopes sends an event without records from time to time. So it differs
 * from a scan that stands still, goes on from there if it breaks off, and ends if its follower has gone.
 */

/** Records of other scopes that a scan passes over between two events, at the most. */
const passedMax = 4096;

export interface ScanBounds {
  /** Records of one event. */
  readonly scanRecordsMax: number;
  /** Bytes of one event's values; a larger value goes alone. */
  readonly scanBytesMax: number;
}

export interface Scanning {
  readonly snapshot: Snapshot;
  /** At the snapshot's instant. */
  readonly state: LedgerState;
  readonly logs: Logs;
  readonly shape: ScopeShape;
  readonly generation: string;
  readonly bounds: ScanBounds;
  readonly lost: LostScan;
}

/**
 * How far a scan got, as its server writes it for itself; followers keep it unread. It is void at any other server and
 * in any other generation of this one (rule R4).
 * - `records`: in record order, up to `last`; `cursor` is what the server covered when the scan began.
 * - `log`: in the order of sequences, up to `cursor`.
 */
export interface ScanToken {
  readonly kind: 'records' | 'log';
  /** Where the log scan goes on, or closes a record scan. It names every log. */
  readonly cursor: VersionVector;
  /** Of a record scan. */
  readonly last?: RecordKey;
}

/** Where a follower stands, as far as its stream knows. */
export type Place =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'now' }
  | { readonly kind: 'resync' }
  | { readonly kind: 'token'; readonly token: string; readonly cursor?: VersionVector }
  | { readonly kind: 'cursor'; readonly cursor: VersionVector };

export function placeOf(start: FollowStart): Place {
  switch (start.kind) {
    case 'nothing':
    case 'now':
    case 'resync':
      return start;
    case 'partial':
      return { kind: 'token', token: start.token };
    case 'cursor':
      if (start.token === undefined) return { kind: 'cursor', cursor: start.cursor };
      return { kind: 'token', token: start.token, cursor: start.cursor };
    default:
      return unreachable(start);
  }
}

/** What the follower covers, if it covers anything. */
export function cursorIn(place: Place): VersionVector | undefined {
  return place.kind === 'cursor' || place.kind === 'token' ? place.cursor : undefined;
}

/**
 * All that each log holds from the cursor on. The cursor is above the floor. The registry's records of logs come first:
 * the follower judges what follows by the ends of logs that it knows (rule R23), and these may have changed.
 */
export async function* scanLog(scanning: Scanning, cursor: VersionVector): AsyncGenerator<Changes> {
  const { snapshot, state, logs, generation } = scanning;
  const reached = new Map(cursor);
  const ahead = new Set<string>();
  yield* saidOfLogs(scanning, cursor, ahead);
  for (const log of await snapshot.logs()) {
    const covered = logs.reach(state.covered, log);
    let page = new Page(scanning);
    let last = 0;
    let passed = 0;
    const flush = (): Changes => {
      // Rule R4: progress never exceeds what the server covered.
      reached.set(
        log,
        Math.max(cursor.get(log) ?? 0, holds('R4 progress is not coverage') ? Math.min(last, covered) : last),
      );
      const token = encodeToken({ kind: 'log', cursor: reached }, generation);
      const event: Changes = { kind: 'changes', ...page.contents(), token };
      page = new Page(scanning);
      passed = 0;
      return event;
    };
    for await (const stored of loggedOrDamaged(snapshot, log, (cursor.get(log) ?? 0) + 1)) {
      const wasSent = stored.namespace === registryNamespace && ahead.has(stored.key);
      const change = wasSent ? undefined : await changeOf(stored, scanning);
      if (stored.kind !== 'damaged') {
        if (stored.position.sequence > covered && !holds('R5 a follower is given all')) break;
        last = stored.position.sequence;
      }
      if (change !== undefined) page.add(change);
      if (page.full || ++passed >= passedMax) yield flush();
    }
    if (!page.empty) yield flush();
  }
}

/** These events carry no token: a scan that breaks off here sends them again. */
async function* saidOfLogs(scanning: Scanning, cursor: VersionVector, sent: Set<string>): AsyncGenerator<Changes> {
  let page = new Page(scanning);
  for (const prefix of logKeyPrefixes) {
    for await (const stored of withDamaged(scanning.snapshot, { namespace: registryNamespace, prefix })) {
      if (stored.kind === 'damaged' || stored.position.sequence <= (cursor.get(stored.position.log) ?? 0)) continue;
      const change = await changeOf(stored, scanning);
      if (change === undefined) continue;
      sent.add(stored.key);
      page.add(change);
      if (!page.full) continue;
      yield { kind: 'changes', ...page.contents() };
      page = new Page(scanning);
    }
  }
  if (!page.empty) yield { kind: 'changes', ...page.contents() };
}

/** All records in record order, after `after`, of one namespace or of all. Each event tells the range that it shows. */
export async function* scanRecords(
  scanning: Scanning,
  cursor: VersionVector,
  { after, namespace }: { readonly after?: RecordKey; readonly namespace?: NamespaceId },
): AsyncGenerator<Changes> {
  const { shape, generation } = scanning;
  let page = new Page(scanning);
  let begin = after;
  let passed = 0;
  const ranges = namespace === undefined ? rangesOf(shape.filter) : [{ namespace, prefix: '' }];
  for await (const stored of recordsIn(ranges, scanning, after)) {
    const change = await changeOf(stored, scanning);
    if (change !== undefined) page.add(change);
    if (!page.full && ++passed < passedMax) continue;
    passed = 0;
    const last = { namespace: stored.namespace, key: stored.key };
    yield {
      kind: 'changes',
      ...page.contents(),
      range: openRange(begin, last),
      token: encodeToken({ kind: 'records', cursor, last }, generation),
    };
    begin = last;
    page = new Page(scanning);
  }
  yield { kind: 'changes', ...page.contents(), range: openRange(begin, undefined) };
}

/** A record that cannot be read. */
interface ScannedLost {
  readonly kind: 'lost';
  readonly key: string;
  readonly lost: Lost;
}

/** Collects changes up to the bounds of one event. */
class Page {
  readonly #records: Change[] = [];
  readonly #lost: Lost[] = [];
  #bytes = 0;
  readonly #scanning: Scanning;

  constructor(scanning: Scanning) {
    this.#scanning = scanning;
  }

  add(change: Change | ScannedLost): void {
    if (change.kind === 'lost') this.#lost.push(change.lost);
    else this.#records.push(change);
    this.#bytes += 128 + change.key.length + (change.kind === 'live' ? change.value.byteLength : 0);
  }

  contents(): Pick<Changes, 'records' | 'lost'> {
    const { upTo } = this.#scanning.lost;
    return { records: this.#records, ...(this.#lost.length === 0 ? {} : { lost: { records: this.#lost, upTo } }) };
  }

  get empty(): boolean {
    return this.#records.length + this.#lost.length === 0;
  }

  get full(): boolean {
    const { scanRecordsMax, scanBytesMax } = this.#scanning.bounds;
    return this.#records.length + this.#lost.length >= scanRecordsMax || this.#bytes >= scanBytesMax;
  }
}

/** Records between the ranges are not read: scanning a small scope of a large store costs only the scope's size. */
async function* recordsIn(
  ranges: readonly KeyRange[],
  { snapshot }: Scanning,
  after: RecordKey | undefined,
): AsyncGenerator<StoredOrDamaged> {
  const behind = after === undefined ? {} : { after };
  for (const { namespace, prefix } of ranges) {
    yield* withDamaged(snapshot, namespace === '*' ? behind : { namespace, prefix, ...behind });
  }
}

function openRange(after: RecordKey | undefined, through: RecordKey | undefined): ScanRange {
  return { ...(after === undefined ? {} : { after }), ...(through === undefined ? {} : { through }) };
}

/**
 * The record as the scope is sent it, with its value read if needed; undefined if it is not in the scope.
 * @throws as `LostScan.of`
 */
async function changeOf(stored: StoredOrDamaged, scanning: Scanning): Promise<Change | ScannedLost | undefined> {
  const { snapshot, shape } = scanning;
  if (!matches(shape.filter, stored.namespace, stored.key)) return undefined;
  if (stored.kind === 'tombstone') return stored;
  if (stored.kind === 'damaged') return scannedLost(stored, scanning);
  const { valueBytes, value, ...head } = stored;
  if (value !== undefined) return shapeRecord({ ...head, value }, shape.values);
  const { values } = shape;
  const wanted =
    values.kind === 'all' ||
    stored.namespace === registryNamespace ||
    (values.kind === 'inline' && valueBytes <= values.bytesMax);
  if (!wanted) return { ...head, kind: 'announcement', valueBytes };
  const record = await snapshot.read(stored).catch(unlessDamaged);
  return record === 'damaged' ? scannedLost(stored, scanning) : record;
}

async function scannedLost(damaged: Damaged, { lost }: Scanning): Promise<ScannedLost> {
  return { kind: 'lost', key: damaged.key, lost: await lost.of(damaged) };
}

interface WrittenToken {
  readonly g: string;
  readonly c: Array<[string, number]>;
  readonly l?: [string, string];
}

export function encodeToken({ cursor, last }: ScanToken, generation: string): string {
  const written: WrittenToken = {
    g: generation,
    c: [...cursor],
    ...(last === undefined ? {} : { l: [last.namespace, last.key] }),
  };
  return Buffer.from(JSON.stringify(written)).toString('base64url');
}

/** Undefined if the token is another server's, another generation's, or no token at all. */
export function decodeToken(text: string, generation: string): ScanToken | undefined {
  try {
    const { g, c, l } = JSON.parse(Buffer.from(text, 'base64url').toString()) as Partial<WrittenToken>;
    const cursor = parseVector(c);
    if ((g !== generation && holds('R4 progress holds at its server')) || cursor === undefined) return undefined;
    if (l === undefined) return { kind: 'log', cursor };
    const [namespace, key] = [parseNamespaceId(l[0]), l[1]];
    if (namespace === undefined || typeof key !== 'string') return undefined;
    return { kind: 'records', cursor, last: { namespace, key } };
  } catch {
    return undefined; // What a follower kept was not written by this server: it is void, as if there were none.
  }
}
