import type { Clock, ExpiryClock } from '../../runtime/clock.ts';
import type { EdgeObserver } from '../observer.ts';
import type { Scope } from '../scope.ts';
import type { Upstreams } from '../upstreams.ts';

export interface AuditBounds {
  /** Milliseconds between two looks. */
  readonly everyMs: number;
  /** Keys that one look compares in each scope: held ones, and in a copy as many that the upstream lists. */
  readonly keysMax: number;
  /** Records, tombstones included, of the range of a copy that one look digests. */
  readonly rangeRecordsMax: number;
  /** Bytes of values of that range; the value that exceeds them is the last. */
  readonly rangeBytesMax: number;
  /** Keys that one look compares because digests differ. */
  readonly suspectsMax: number;
  /** Milliseconds that one comparison may take, with the wait until this edge covers what the upstream covered. */
  readonly patienceMs: number;
}

export interface AuditOptions {
  readonly audit: AuditBounds;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly expiryClock: ExpiryClock;
  readonly clockSkewMsMax: number;
  readonly edgeObserver: EdgeObserver;
  readonly scopes: () => readonly Scope[];
}
