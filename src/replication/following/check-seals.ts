import { MeridianError } from '../../model/errors.ts';
import type { CaughtUp, Changes } from '../../model/feed.ts';
import { holds } from '../../model/rules.ts';
import { emptyVector } from '../../model/version-vector.ts';
import type { Logs } from '../logs.ts';

/**
 * Rule R23: a server that claims or sends what lies beyond a seal that is known here has not heard of the seal yet. An edge
 * hangs up. @throws UNAVAILABLE
 */
export function checkSeals(logs: Logs, event: Changes | CaughtUp): void {
  const vector = event.kind === 'changes' ? event.step?.vector : event.vector;
  const records = event.kind === 'changes' ? [...event.records, ...(event.lost?.records ?? [])] : [];
  const claimed = logs.beyondIn(vector ?? emptyVector);
  const beyond = claimed ?? records.find(({ position }) => logs.isBeyond(position))?.position.log;
  if (beyond === undefined || !holds('R23 an edge hangs up')) return;
  throw new MeridianError('UNAVAILABLE', `the upstream has not heard yet where the log ${beyond} ends`, {
    reason: 'seal-unheard',
    retryAfterMs: 200,
  });
}
