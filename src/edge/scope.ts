import type { ScopeStatus } from '../model/cluster.ts';
import type { Filter } from '../model/filter.ts';
import type { RecordKey } from '../model/key.ts';
import type { Position } from '../model/position.ts';
import type { Record } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import type { Bound } from '../model/staleness.ts';
import { joinVectors, type VersionVector } from '../model/version-vector.ts';
import type { Observed } from '../replication/following/observed.ts';
import type { Ledger } from '../replication/ledger.ts';

/** What a scope holds of a key. */
export interface HeldRecord {
  /** Undefined: a copy knows that the key was never written, or that its tombstone was purged. */
  readonly record: Record | undefined;
  readonly superseded: boolean;
  readonly bound: Bound | undefined;
}

/** A range of keys as an edge holds it: a copy of all, or a cache of what was asked for. */
export interface Scope {
  readonly kind: 'copy' | 'cache';
  readonly ledger: Ledger;
  /** For a copy: what it holds whole. */
  readonly filter?: Filter;
  /** What the feed has shown, and the stamps that it names to loads and writes under way (rules R12, R13). */
  readonly observed: Observed;
  /** False until the feed has caught up for the first time: before that, nothing held means anything. */
  readonly hasCaughtUp: boolean;
  /** What is in memory. Undefined if `lookup` must be asked. */
  peek(key: RecordKey): HeldRecord | undefined;
  /** Undefined if nothing is known. */
  lookup(key: RecordKey): Promise<HeldRecord | undefined>;
  bound(): Bound | undefined;
  /** Merges what a load or a write brought. */
  install(record: Record): Promise<void>;
  /**
   * Replaces what is held with what the upstream was found to hold, if the held record is still the one compared (rule
   * R11); a cache forgets it. True if it did.
   */
  repair(key: RecordKey, held: Record | undefined, found: Record | undefined): Promise<boolean>;
  status(): Promise<ScopeStatus>;
}

/** Hears what a scope's feed means for the rest of the edge. */
export interface ScopeListener {
  /** An upstream named its cluster. Throws FAILED_PRECONDITION if it is another one. */
  readonly joined: (clusterId: string) => Promise<void>;
  /** The registry changed, or the scope has caught up: names may mean something else. */
  readonly heard: () => void;
}

/** What every scope tells of itself. */
export function scopeStatus(scope: Pick<Scope, 'kind' | 'ledger' | 'bound'>): ScopeStatus {
  const { covered, floor, stable } = scope.ledger.state;
  const bound = scope.bound();
  return {
    kind: scope.kind,
    filter: [],
    state: 'starting',
    covered,
    floor,
    stable,
    ...(bound === undefined ? {} : { boundMs: bound.boundMs, rootLog: bound.root }),
  };
}

/** What must be known of a scope when a load or write begins, to judge its answer by (rule R13). */
export interface Beginning {
  readonly known: VersionVector;
  readonly generation: number;
}

export function beginning({ ledger, observed }: Scope): Beginning {
  return { known: joinVectors(ledger.state.covered, observed.vector), generation: observed.generation };
}

/**
 * What an answer must meet before the write at `position` is kept from it: no resync came between, the responder covers
 * what was known, and the log of the write is known and goes at least that far. Of an unknown log nobody could tell
 * later that it is void.
 */
export function mayKeep(
  { hasCaughtUp, ledger, observed }: Scope,
  begun: Beginning,
  covered: VersionVector,
  position: Position | undefined,
): boolean {
  const { logs } = ledger.registry;
  const isKnown = position === undefined || (logs.get(position.log) !== undefined && !hasEnded(ledger, position));
  return (
    hasCaughtUp &&
    (observed.generation === begun.generation || !holds('R13 no resync between')) &&
    (logs.covers(covered, begun.known, ledger.state.covered) || !holds('R13 responder covers')) &&
    isKnown
  );
}

/** True for a position beyond a seal, or in a void log (rule R23). */
export function hasEnded({ registry: { logs }, state }: Ledger, position: Position): boolean {
  return logs.hasEnded(position, state.covered);
}
