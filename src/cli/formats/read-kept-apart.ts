import { UsageError } from '../usage-error.ts';
import { checkedText, type ImportRecord, jsonFields, recordOfFields } from './import-record.ts';
import { readObjects } from './read-objects.ts';
import type { UnreadRecord } from './unread-record.ts';

/*
 * What an origin keeps apart when it joins anew (node/kept-apart.ts). Its file is unlike an export in two ways: it holds
 * the records of all namespaces, and deletions among them.
 *
 *     {"namespace":"5f…","key":"a","version":"01a2…","value":"b24=","base64":true}
 *     {"namespace":"5f…","key":"b","version":"01a2…","deleted":true}
 */

export interface KeptApartReading<Unread> {
  /** The id of the one namespace whose records are wanted. */
  readonly namespace: string;
  /** Deletions are records too; otherwise they are left out. */
  readonly withDeletions: boolean;
  readonly unread?: UnreadRecord<Unread> | undefined;
  /** Told in the end of what was left out. */
  readonly note: (line: string) => void;
}

interface KeptRecord extends ImportRecord {
  readonly namespace: string;
}

/** Namespaces that a note names, each with its count. */
const namedMax = 10;

/** The records of one namespace. @throws UsageError where the file is of another kind */
export async function* readKeptApart<Unread = never>(
  input: AsyncIterable<Uint8Array>,
  { namespace, withDeletions, unread, note }: KeptApartReading<Unread>,
): AsyncGenerator<ImportRecord | Unread, void, undefined> {
  const elsewhere = new Map<string, number>();
  let deletions = 0;
  const kept: AsyncIterable<ImportRecord | Unread> = readObjects(input, { recordOf: recordOfKept, unread });
  for await (const record of kept) {
    if (!isKept(record)) yield record;
    else if (record.namespace !== namespace) {
      elsewhere.set(record.namespace, (elsewhere.get(record.namespace) ?? 0) + 1);
    } else if (record.isDeletion === true && !withDeletions) deletions++;
    else {
      const { namespace: _namespace, ...plain } = record;
      yield plain;
    }
  }
  if (deletions > 0) note(`left out: ${deletions} deletions; --deletions apply deletes those keys`);
  if (elsewhere.size === 0) return;
  const all = [...elsewhere].map(([id, count]) => `${count} of ${id}`);
  const named = [...all.slice(0, namedMax), ...(all.length > namedMax ? [`${all.length - namedMax} more`] : [])];
  note(`left out: records of other namespaces (--from-namespace takes one of them): ${named.join(', ')}`);
}

function isKept(record: unknown): record is KeptRecord {
  return typeof record === 'object' && record !== null && 'namespace' in record;
}

/** @throws UsageError */
function recordOfKept(text: string, place: string): KeptRecord {
  const object = jsonFields(text, place);
  const { namespace, key, deleted } = object.fields;
  if (typeof namespace !== 'string')
    throw new UsageError(`${place} has no "namespace": it was not kept apart by an origin`);
  if (deleted !== true) return { ...recordOfFields(object, place), namespace };
  if (typeof key !== 'string') throw new UsageError(`${place} has no "key"`);
  return { key: checkedText(key, 'key', place), value: new Uint8Array(), isDeletion: true, namespace };
}
