import { MeridianError } from '../../model/errors.ts';
import { type CaughtUp, type Changes, toldIn } from '../../model/feed.ts';
import type { RecordKey } from '../../model/key.ts';
import type { LogId } from '../../model/position.ts';
import { holds } from '../../model/rules.ts';
import { emptyVector, type VersionVector } from '../../model/version-vector.ts';
import { isOfLogs, type Logs } from '../logs.ts';

/**
 * Rule R23: a server that claims or sends anything beyond a seal that is known here has not heard of the seal yet. An
 * edge hangs up. One exception: if the seal itself stands in a log that is void by what the server covers, the seal no
 * longer counts, and the edge begins anew once it has caught up. Until then it shows nothing from beyond the seal.
 * @throws UNAVAILABLE
 *
 *     the origin seals A at 1, in B   ·   is put back to where A is sealed at 6, in C   ·   sends A 2 to an edge that knows B
 */
export function checkSeals(logs: Logs, event: Changes | CaughtUp): void {
  const vector = event.kind === 'changes' ? event.step?.vector : event.vector;
  const records = event.kind === 'changes' ? toldIn(event) : [];
  const claimed = logs.beyondIn(vector ?? emptyVector);
  // The records of logs come first in a scan, and the rest of the scan is judged by them.
  const isJudged = (record: RecordKey) => vector !== undefined || !isOfLogs(record);
  const beyond = claimed ?? records.find((record) => logs.isBeyond(record.position) && isJudged(record))?.position.log;
  if (beyond === undefined || !holds('R23 an edge hangs up') || isSealVoid(logs, beyond, vector)) return;
  throw new MeridianError('UNAVAILABLE', `the upstream has not heard yet where the log ${beyond} ends`, {
    reason: 'seal-unheard',
    retryAfterMs: 200,
  });
}

/**
 * The log that holds a seal may be sealed itself, by a seal in a void log. Within a scan the server has not said yet
 * what it covers: then a seal that may be void does not end the stream.
 */
function isSealVoid(logs: Logs, log: LogId, vector: VersionVector | undefined, above: readonly LogId[] = []): boolean {
  const at = logs.get(log)?.seal?.at.log;
  if (at === undefined || above.includes(at)) return false;
  const isSealed = logs.get(at)?.seal !== undefined && !isSealVoid(logs, at, vector, [...above, log]);
  if (isSealed) return false;
  return vector === undefined ? logs.mayBePassed(at) : logs.isPassed(at, vector);
}
