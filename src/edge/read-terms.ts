import { MeridianError, toMeridianError } from '../model/errors.ts';
import type { ReadOptions } from '../model/key-value.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { Ledger } from '../replication/ledger.ts';
import type { EdgeBounds } from './edge-options.ts';
import type { ReadCase } from './read-decision.ts';
import type { Upstreams } from './upstreams.ts';

export interface ReadTermsOptions
  extends Pick<EdgeBounds, 'maxStalenessMs' | 'staleWhileRevalidateMs' | 'staleIfErrorMs'> {
  readonly upstreams: Upstreams;
}

/** The facts by which a read is decided before a load is tried: its own wishes, the node's, and what is held. */
export function readFacts(
  { maxStalenessMs, atOrigin }: ReadOptions,
  options: ReadTermsOptions,
  held: Pick<ReadCase, 'held' | 'boundMs' | 'sessionCovered'>,
): ReadCase {
  return {
    held: held.held,
    boundMs: held.boundMs,
    sessionCovered: held.sessionCovered,
    maxStalenessMs: maxStalenessMs ?? options.maxStalenessMs,
    explicit: maxStalenessMs !== undefined,
    atOrigin: atOrigin === true,
    staleWhileRevalidateMs: options.staleWhileRevalidateMs,
    staleIfErrorMs: options.staleIfErrorMs,
    upstreamThere: options.upstreams.reachable,
    loadFailed: false,
  };
}

/** A held answer makes up only for trouble on the way; a refusal of the request itself is the answer. */
export function isTrouble(error: unknown): boolean {
  return ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED'].includes(toMeridianError(error).code);
}

/**
 * The error of a load, for a reader whose session is not covered here: if time ran out, the session is why, and the
 * error names the logs whose writes are missing (rule R14).
 */
export function inTermsOfSession(error: unknown, session: VersionVector, ledger: Ledger | undefined): unknown {
  const missing = ledger?.registry.logs.uncovered(ledger.state.covered, session) ?? [...session.keys()];
  if (missing.length === 0 || toMeridianError(error).code !== 'DEADLINE_EXCEEDED') return error;
  const message = `the session saw writes of ${missing.join(', ')} that did not come here in time`;
  return new MeridianError('UNAVAILABLE', message, { reason: 'session-not-covered', cause: error });
}
