import type { Change, Changes, FollowOpen, ValueMode } from '../../model/feed.ts';
import { type Filter, filterKey, matches } from '../../model/filter.ts';
import { registryNamespace } from '../../model/namespace.ts';
import type { Record } from '../../model/record.ts';
import type { ReplicationObserver } from '../observer.ts';
import type { RingEntry } from '../ring.ts';

/** One kind of scope: followers with the same filter and values share what is shaped, and so encoded, for them. */
export interface ScopeShape {
  readonly filter: Filter;
  readonly values: ValueMode;
  readonly laidOut: WeakMap<RingEntry, Changes>;
}

/** The scope's form of a record: a value that stays behind becomes an announcement. The registry travels whole. */
export function shapeRecord(record: Record, values: ValueMode): Change {
  if (record.kind === 'tombstone' || values.kind === 'all' || record.namespace === registryNamespace) return record;
  if (values.kind === 'inline' && record.value.byteLength <= values.bytesMax) return record;
  const { value, kind: _kind, ...rest } = record;
  return { ...rest, kind: 'announcement', valueBytes: value.byteLength };
}

/** The live step of a commit, shaped once for all followers of a like scope. */
export function shapeEntry(entry: RingEntry, shape: ScopeShape, observer: ReplicationObserver): Changes {
  const known = shape.laidOut.get(entry);
  if (known !== undefined) return known;
  const records = entry.records
    .filter((record) => matches(shape.filter, record.namespace, record.key))
    .map((record) => shapeRecord(record, shape.values));
  const lost = entry.lost?.records.filter((each) => matches(shape.filter, each.namespace, each.key)) ?? [];
  const changes: Changes = {
    kind: 'changes',
    records,
    ...(entry.lost === undefined || lost.length === 0 ? {} : { lost: { ...entry.lost, records: lost } }),
    step: entry.step,
    committedAtMs: entry.committedAtMs,
  };
  shape.laidOut.set(entry, changes);
  observer.stepShaped(records.length);
  return changes;
}

/** The shapes in use, so that followers find each other's. A shape lives as long as one of its followers. */
export class ScopeShapes {
  readonly #shapes = new Map<string, { readonly shape: ScopeShape; users: number }>();

  use(open: Pick<FollowOpen, 'filter' | 'values'>): { readonly shape: ScopeShape; release(): void } {
    const name = `${filterKey(open.filter)}${JSON.stringify(open.values)}`;
    const entry = this.#shapes.get(name) ?? {
      shape: { filter: open.filter, values: open.values, laidOut: new WeakMap() },
      users: 0,
    };
    entry.users++;
    this.#shapes.set(name, entry);
    return {
      shape: entry.shape,
      release: () => {
        entry.users--;
        if (entry.users === 0) this.#shapes.delete(name);
      },
    };
  }
}
