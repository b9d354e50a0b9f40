import type { WriteAnswer, WriteRequest } from '../../../src/model/key-value.ts';
import type { Attempts } from './attempts.ts';
import type { Truth } from './truth.ts';

/** Milliseconds that a write takes, at the most. */
const callMsMax = 500;

/** What the answer to a write promises to the session that it was made in (rule R14). */
export function complaintsOfWrite(
  { mutations, session }: Pick<WriteRequest, 'mutations' | 'session'>,
  { namespace, written }: WriteAnswer,
  truth: Truth,
  attempts: Pick<Attempts, 'isOfWholeCommit'>,
  nowMs: number,
): string[] {
  return written.flatMap(({ stamp }, index) => {
    const mutation = mutations[index];
    if (mutation === undefined) return [];
    const { key, condition } = mutation;
    if (stamp <= session.stamp) return [`${key} was written at ${stamp}, in a session that saw ${session.stamp}`];
    if (condition === undefined) return [];
    const seen = truth.covered(namespace, key, session.vector);
    // An end of the key that the same commit superseded may be what was decided on, and be answered later.
    if (condition.kind === 'absent' && !attempts.isOfWholeCommit(stamp)) return [];
    const decidedOn = condition.kind === 'version' ? { stamp: condition.version } : undefined;
    if (truth.reflects(seen, decidedOn, { fromMs: nowMs - callMsMax, toMs: nowMs })) return [];
    return [`${key} at ${stamp} was decided without ${seen?.record.stamp}, which its session covers`];
  });
}
