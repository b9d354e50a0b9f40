import { isMeridianError } from '../model/errors.ts';
import { compareRecordKeys, mapKey, type RecordKey } from '../model/key.ts';
import type { LogId, Position } from '../model/position.ts';
import type { Damaged, RecordRange, Snapshot, Stored } from '../store/store.ts';

/** What is held at a key: a record, or one that cannot be read. */
export type StoredOrDamaged = Stored | (Damaged & { readonly kind: 'damaged' });

/** For the error of a rejected read. */
export function unlessDamaged(error: unknown): 'damaged' {
  if (isMeridianError(error, 'DATA_LOSS')) return 'damaged';
  throw error;
}

/** The records of a range in record order, the damaged ones in their places. */
export async function* withDamaged(snapshot: Snapshot, range: RecordRange): AsyncGenerator<StoredOrDamaged> {
  // They are reported before the page that they belong to: they go into it, or after it if nothing of the page is left.
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

/** The records of a log from a sequence on. Each damaged one comes before the first record of a later sequence. */
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

/** The log position of each damaged record, which its own row does not tell. Reads all that is held. */
export async function placesOf(snapshot: Snapshot): Promise<ReadonlyMap<string, Position>> {
  const places = new Map<string, Position>();
  const note = ({ namespace, key, position }: Damaged) => {
    if (position !== undefined) places.set(mapKey(namespace, key), position);
  };
  for (const log of await snapshot.logs()) {
    // Reading a page reports the damaged records before it.
    for await (const _page of snapshot.log(log, 1, note));
  }
  return places;
}
