import type { Call } from '../../model/call.ts';
import { type Cursor, cursorOf } from '../../model/epoch.ts';
import { isMeridianError } from '../../model/errors.ts';
import type { RecordKey } from '../../model/key.ts';
import type { Record } from '../../model/record.ts';
import { covers, type VersionVector } from '../../model/version-vector.ts';
import { markOf } from '../../replication/stretch-digest.ts';
import type { Part } from '../part.ts';
import type { AuditOptions } from './audit-options.ts';

/**
 * True where the upstream holds the record that was found still, and knows the same lives of origins' disks as this part.
 * A vector counts writes of one life: an origin whose disk was rolled back covers, for a while, the numbers of writes
 * that it has lost, and so do those that hear of it first. An upstream of an earlier version is believed.
 * @throws what the upstream fails with
 */
export async function confirmed(
  part: Part,
  { namespace, key }: RecordKey,
  found: Record | undefined,
  known: VersionVector,
  { upstreams }: AuditOptions,
  call: Call,
): Promise<boolean> {
  // Nothing has expired by then: the value that was found is there as long as the record is live.
  const request = { namespace, prefix: key, through: key, second: 0, marks: true, cursor: cursorNow(part) };
  const theirs = await upstreams
    .ask(call, (upstream, asked) => upstream.digestRange(request, asked))
    .catch((error: unknown) => {
      if (isMeridianError(error, 'UNIMPLEMENTED')) return undefined;
      throw error;
    });
  if (theirs === undefined) return true;
  const mark = found?.kind === 'live' ? markOf(found).hash : undefined;
  return covers(theirs.vector, known) && theirs.marks[0]?.hash === mark;
}

export function cursorNow({ ledger: { state } }: Part): Cursor {
  return cursorOf(state.covered, state.epochs);
}
