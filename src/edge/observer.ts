import type { ErrorCode } from '../model/errors.ts';
import type { Source } from '../model/key-value.ts';

/** What an edge tells whoever measures. Every method returns at once and throws nothing. */
export interface EdgeObserver {
  /** A read was answered, or refused (then `none`). */
  read(source: Source | 'none', kind: 'get' | 'list', outcome: 'found' | 'absent' | ErrorCode, elapsedMs: number): void;
  /** A write was acknowledged or refused; `mutations` of one batch. */
  written(outcome: 'ok' | ErrorCode, mutations: number, elapsedMs: number): void;
  /** A read of the cached part found its key held and good enough, or not. */
  cacheLookedUp(outcome: 'hit' | 'miss'): void;
  /** A load began; `inFlight` counts it. */
  loadStarted(inFlight: number): void;
  loadEnded(outcome: 'ok' | ErrorCode, elapsedMs: number, inFlight: number): void;
  /** A read joined a load that was in flight. */
  loadCoalesced(): void;
  /** A loaded record was older than what the feed had shown, so it was not kept (rules R12, R13). */
  loadNotKept(reason: 'older' | 'responder' | 'resync' | 'not-caught-up'): void;
  evicted(tier: 'memory' | 'disk', records: number): void;
  cacheSize(tier: 'memory' | 'disk', bytes: number, entries: number | undefined): void;
}

const nothing = (): void => {};

export const silentEdgeObserver: EdgeObserver = {
  read: nothing,
  written: nothing,
  cacheLookedUp: nothing,
  loadStarted: nothing,
  loadEnded: nothing,
  loadCoalesced: nothing,
  loadNotKept: nothing,
  evicted: nothing,
  cacheSize: nothing,
};
