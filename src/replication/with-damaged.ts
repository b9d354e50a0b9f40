import { isMeridianError } from '../model/errors.ts';
import { compareRecordKeys, mapKey, type RecordKey } from '../model/key.ts';
import type { LogId, Position } from '../model/position.ts';
import type { Damaged, RecordRange, Snapshot, Stored } from '../store/store.ts';

/** What stands at a key: a record, or one that is held and cannot be read. */
export type StoredOrDamaged = Stored | (Damaged & { readonly kind: 'damaged' });

/** For what a read rejects with. */
export function unlessDamaged(error: unknown): 'damaged' {
  if (isMeridianError(error, 'DATA_LOSS')) return 'damaged';
  throw error;
}

/** The records of a range in record order, the damaged ones in their places. */
export async function* withDamaged(snapshot: Snapshot, range: RecordRange): AsyncGenerator<StoredOrDamaged> {
  // Told of before the page that they are of: they belong among it, or behind it where nothing of the page is left.
  let damaged: StoredOrDamaged[] = [];
  for await (const page of snapshot.records(range, (found) => damaged.push({ ...found, kind: 'damaged' }))) {
    if (damaged.length === 0) {
      yield* page;
      continue;
    }
    const all = [...damaged, ...page].sort(compareRecordKeys);
    damaged = [];
    yield* all;
  }
  yield* damaged.sort((a: RecordKey, b: RecordKey) => compareRecordKeys(a, b));
}

/** The records of a log from a sequence on, each damaged one somewhere before the first that is of a later sequence. */
export async function* loggedOrDamaged(
  snapshot: Snapshot,
  log: LogId,
  fromSequence: number,
): AsyncGenerator<StoredOrDamaged> {
  let damaged: StoredOrDamaged[] = [];
  const note = (found: Damaged) => damaged.push({ ...found, kind: 'damaged' });
  for await (const page of snapshot.log(log, fromSequence, note)) {
    yield* damaged;
    damaged = [];
    yield* page;
  }
  yield* damaged;
}

/** Where each damaged record stands in the log, which a row that cannot be read does not tell. Reads all that is held. */
export async function placesOf(snapshot: Snapshot): Promise<ReadonlyMap<string, Position>> {
  const places = new Map<string, Position>();
  const note = ({ namespace, key, position }: Damaged) => {
    if (position !== undefined) places.set(mapKey(namespace, key), position);
  };
  for (const log of await snapshot.logs()) {
    // Each page is read for what is told before it.
    for await (const _page of snapshot.log(log, 1, note));
  }
  return places;
}
