import type { ErrorCode } from '../model/errors.ts';

/** What an origin tells whoever measures. Every method returns at once and throws nothing. */
export interface OriginObserver {
  /** A read was answered or refused. */
  read(kind: 'get' | 'list', outcome: 'found' | 'absent' | ErrorCode, elapsedMs: number): void;
  /** A write was acknowledged or refused; `mutations` of one batch. */
  written(outcome: 'ok' | ErrorCode, mutations: number, elapsedMs: number): void;
}

export const silentOriginObserver: OriginObserver = { read: () => {}, written: () => {} };
