import { assert } from '../../model/assert.ts';
import { compareKeys, type RecordKey } from '../../model/key.ts';
import type { NamespaceId } from '../../model/namespace.ts';
import type { LogId, Position } from '../../model/position.ts';
import type { Head, Record } from '../../model/record.ts';
import type { Stamp } from '../../model/stamp.ts';
import type { RecordRange } from '../store.ts';
import { endedAtSeconds } from '../store.ts';

/*
 * The layout of the one key space. A letter names the table; ids, sequences and seconds are hex digits of a fixed
 * length; the user's key comes last, or before a suffix of a fixed length, so nothing in it can be taken for anything
 * else, and the order of UTF-8 bytes is the order of records. All keys are text, because LevelDB's binding passes a
 * string in one crossing and a buffer in several: iteration is half again as fast (test/bench/store.ts).
 *
 *   s <name>                                       the store's own state: format, an erase under way
 *   m <name>                                       named state of the store's user
 *   r <namespace 32> <key>                         record row, with the value where it is small
 *   v <namespace 32> <key> <stamp 32> <chunk 4>    a chunk of a large value
 *   l <log 16>    <sequence 12>                    → namespace and key
 *   e <seconds 10> <namespace 32> <key>            live records that expire
 *   g <seconds 10> <namespace 32> <key>            tombstones ("graves"), by when they ended
 *   d <namespace 32> <key>                         records whose row is lost (quarantine.ts)
 */

export const formatKey = 'sformat';
export const erasingKey = 'serasing';
/** Ranges in which an absent key may have been held (quarantine.ts). */
export const doubtsKey = 'sdoubts';

/** The tables of records and of what goes with them. */
export const dataTables = ['d', 'e', 'g', 'l', 'r', 'v'] as const;
export const metaTable = 'm';

const sequenceDigits = 12;
const secondsDigits = 10;
const secondsMax = 16 ** secondsDigits - 1;

export function metaKey(name: string): string {
  return metaTable + name;
}

export function metaNameIn(key: string): string {
  return key.slice(metaTable.length);
}

export function damageKey({ namespace, key }: RecordKey): string {
  return `d${namespace}${key}`;
}

export function recordKey({ namespace, key }: RecordKey): string {
  return `r${namespace}${key}`;
}

/** The record key after a table's letter and `skip` characters. */
export function parseRecordKey(text: string, skip: number): RecordKey {
  return { namespace: text.slice(skip, skip + 32) as NamespaceId, key: text.slice(skip + 32) };
}

export function chunkKey({ namespace, key }: RecordKey, stamp: Stamp, chunk: number): string {
  return `v${namespace}${key}${stamp}${hex(chunk, 4)}`;
}

export function logKey({ log, sequence }: Position): string {
  return `l${log}${hex(sequence, sequenceDigits)}`;
}

export function parseLogKey(text: string): Position {
  return { log: text.slice(1, 17) as LogId, sequence: Number.parseInt(text.slice(17), 16) };
}

/** The record's key in the index behind `Snapshot.ended`, if it is there. */
export function endedKey(head: Head | Record): string | undefined {
  // A live record that never expires, the usual case, costs nothing here.
  if (head.kind === 'live' && head.expiresAt === undefined) return undefined;
  const seconds = endedAtSeconds(head);
  if (seconds === undefined) return undefined;
  return `${endedTable(head.kind)}${hex(seconds, secondsDigits)}${head.namespace}${head.key}`;
}

/** The record key in an entry of that index begins here. */
export const endedKeySkip = 1 + secondsDigits;

/** Bounds of a LevelDB iteration. */
export interface KeyBounds {
  readonly gte?: string;
  readonly gt?: string;
  readonly lt: string;
}

export function tableBounds(table: string): KeyBounds {
  return { gte: table, lt: afterPrefix(table) };
}

export function recordBounds({ namespace = '' as NamespaceId, prefix = '', after }: RecordRange): KeyBounds {
  const start = `r${namespace}${prefix}`;
  const behind = after === undefined ? undefined : recordKey(after);
  const lt = afterPrefix(start);
  return behind === undefined || compareKeys(behind, start) < 0 ? { gte: start, lt } : { gt: behind, lt };
}

/** The key ranges of a namespace's rows and large values: nearly all that it takes. */
export function namespaceRanges(namespace: NamespaceId): ReadonlyArray<readonly [first: string, end: string]> {
  return ['r', 'v'].map((table) => [table + namespace, afterPrefix(table + namespace)]);
}

export function logBounds(log: LogId, fromSequence: number): KeyBounds {
  return { gte: logKey({ log, sequence: Math.max(0, fromSequence) }), lt: afterPrefix(`l${log}`) };
}

/** What ended at or before that second, which is not negative. */
export function endedBounds(kind: Head['kind'], throughSeconds: number): KeyBounds {
  const table = endedTable(kind);
  const lt = throughSeconds >= secondsMax ? afterPrefix(table) : table + hex(throughSeconds + 1, secondsDigits);
  return { gte: table, lt };
}

function endedTable(kind: Head['kind']): 'e' | 'g' {
  return kind === 'live' ? 'e' : 'g';
}

/** The least text after all that start with the prefix, in the order of code points, which is that of UTF-8 bytes. */
function afterPrefix(prefix: string): string {
  const points = [...prefix];
  while (points.at(-1) === '\u{10ffff}') points.pop();
  const last = points.pop()?.codePointAt(0);
  assert(last !== undefined, 'a prefix begins with its table');
  return points.join('') + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1);
}

function hex(value: number, digits: number): string {
  const text = value.toString(16).padStart(digits, '0');
  assert(Number.isInteger(value) && value >= 0 && text.length === digits, `${value} as ${digits} hex digits`);
  return text;
}
