import { type HitCounts, noHits } from '../model/hit-counts.ts';
import type { RecordKey } from '../model/key.ts';
import type { Record } from '../model/record.ts';

/** How a load ended: kept in the scope, passed on to its readers alone (rules R12, R13), or failed. */
export type LoadOutcome = 'kept' | 'passed-on' | 'failed';

/** Two nodes that cover the same writes of a key hold different things. */
export interface AuditDifference {
  readonly scope: 'copy' | 'cache';
  readonly key: RecordKey;
  readonly held: Record | undefined;
  readonly found: Record | undefined;
  /** The node whose answer `found` is. */
  readonly responder: string;
  readonly repaired: boolean;
}

/** How the comparison of a range ended: with equal digests, with keys to compare, or with nothing concluded. */
export type RangeOutcome = 'equal' | 'suspect' | 'open';

/** What an edge reports to metrics. Every method returns at once and throws nothing. */
export interface EdgeObserver {
  /** Hits of each scope that `read` and `cacheLooked` are not told of. */
  readonly hits: { readonly copy: HitCounts; readonly cache: HitCounts };
  /** A read was answered from `source` (origin, copy, cache), or refused (then `none`). */
  read(kind: 'get' | 'list', source: string, outcome: string, elapsedMs: number): void;
  written(outcome: string, elapsedMs: number): void;
  cacheLooked(hit: boolean): void;
  loadStarted(): void;
  loadEnded(outcome: LoadOutcome): void;
  /** A read joined a load that another read had begun. */
  loadJoined(): void;
  evicted(from: 'memory' | 'disk', entries: number): void;
  cacheSized(at: 'memory' | 'disk', entries: number, bytes: number): void;
  /** A key was compared with the upstream's. */
  audited(scope: 'copy' | 'cache'): void;
  /** A range of a copy, with this many live records, was compared with the upstream's. */
  rangeAudited(outcome: RangeOutcome, records: number): void;
  auditDiffered(difference: AuditDifference): void;
  /** The store of a scope was damaged beyond single records: it is filled again from nothing. */
  storeErased(error: Error): void;
}

const nothing = (): void => {};

export const silentEdgeObserver: EdgeObserver = {
  hits: { copy: noHits(), cache: noHits() },
  read: nothing,
  written: nothing,
  cacheLooked: nothing,
  loadStarted: nothing,
  loadEnded: nothing,
  loadJoined: nothing,
  evicted: nothing,
  cacheSized: nothing,
  audited: nothing,
  rangeAudited: nothing,
  auditDiffered: nothing,
  storeErased: nothing,
};
