import type { ErrorCode } from '../model/errors.ts';
import { type HitCounts, noHits } from '../model/hit-counts.ts';

/** What an origin reports to metrics. Every method returns at once and throws nothing. */
export interface OriginObserver {
  /** Hits that `read` is not told of. */
  readonly hits: { readonly origin: HitCounts };
  /** A read was answered or refused. */
  read(kind: 'get' | 'list', outcome: 'found' | 'absent' | ErrorCode, elapsedMs: number): void;
  /** A write was acknowledged or refused; `mutations` of one batch. */
  written(outcome: 'ok' | ErrorCode, mutations: number, elapsedMs: number): void;
}

export const silentOriginObserver: OriginObserver = {
  hits: { origin: noHits() },
  read: () => {},
  written: () => {},
};
