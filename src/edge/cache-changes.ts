import { joinEpochs } from '../model/epoch.ts';
import type { CaughtUp, Changes } from '../model/feed.ts';
import { mapKey } from '../model/key.ts';
import { merge, movesTo, replaces } from '../model/merge.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { Head, Record } from '../model/record.ts';
import { joinVectors } from '../model/version-vector.ts';
import { stateAfter } from '../replication/ledger-state.ts';
import type { CommitView, Decision } from '../replication/proposal.ts';
import type { Registry } from '../replication/registry.ts';
import type { DiskBound } from './disk-bound.ts';
import type { MemoryCache } from './memory-cache.ts';

export interface Kept {
  readonly memory: MemoryCache;
  readonly disk: DiskBound;
  readonly registry: Registry;
}

/** What a cache makes of what a load or a write brought: nothing where it is dead, or something later is known. */
export function decideInstall(record: Record, view: CommitView, { memory, disk, registry }: Kept): Decision<undefined> {
  if (registry.isDead(record.namespace) || registry.membership.isBeyondFinal(record.position)) {
    return { result: undefined };
  }
  const name = mapKey(record.namespace, record.key);
  const inMemory = memory.get(name);
  const superseded = inMemory?.superseded;
  if (superseded !== undefined && record.stamp < superseded.by) return { result: undefined };
  if (superseded === undefined && inMemory !== undefined && record.stamp < inMemory.record.stamp) {
    return { result: undefined };
  }
  const held = view.head(record);
  if (held !== undefined && !replaces(record, held) && superseded === undefined) return { result: undefined };
  memory.set(name, { record });
  disk.replaced(held, record);
  return { puts: [record], meta: disk.meta(), silent: true, result: undefined };
}

/**
 * What a cache makes of changes: the registry is kept whole, a held key takes the new value or goes, and other keys are
 * nothing to it. The cursor moves in the same batch (rule R3).
 */
export function decideChanges(
  { records, step, epochs }: Changes,
  view: CommitView,
  { memory, disk, registry }: Kept,
): Decision<undefined> {
  const puts: Record[] = [];
  const removals: Head[] = [];
  for (const change of records) {
    const held = view.head(change);
    if (change.namespace === registryNamespace) {
      if (change.kind !== 'announcement' && (replaces(change, held) || movesTo(change, held))) puts.push(change);
      continue;
    }
    const name = mapKey(change.namespace, change.key);
    if (registry.isDead(change.namespace)) {
      memory.delete(name); // A scan may show it again once it was removed here (rule R18).
      continue;
    }
    const inMemory = memory.peek(name);
    const latest = inMemory?.superseded?.by ?? held?.stamp ?? inMemory?.record.stamp;
    if (latest === undefined) continue;
    if (change.kind === 'announcement') {
      // Installed since its value was looked for, where memory does not know yet: it may not go on to vouch for it.
      if (inMemory?.superseded === undefined && change.stamp > latest) memory.delete(name);
      if (held === undefined || held.stamp >= change.stamp) continue;
      removals.push(held);
      disk.replaced(held, undefined);
    } else if (change.stamp >= latest) {
      const record = inMemory === undefined ? change : merge<Record>(change, inMemory.record);
      memory.set(name, { record });
      disk.replaced(held, record);
      puts.push(record);
    }
  }
  const meta = disk.meta();
  if (step === undefined) {
    const state = epochs && { state: { epochs: joinEpochs(view.state.epochs, epochs) } };
    return { puts, removals, meta, ...state, silent: true, result: undefined };
  }
  return { puts, removals, meta, state: stateAfter(view.state, step), silent: true, result: undefined };
}

/** What a cache covers once its feed has caught up. */
export function decideCaughtUp(event: CaughtUp, { state }: CommitView): Decision<undefined> {
  const floor = joinVectors(state.floor, event.floor);
  return { state: { ...stateAfter(state, event), floor }, silent: true, result: undefined };
}
