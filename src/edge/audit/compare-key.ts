import type { RecordKey } from '../../model/key.ts';
import type { GetAnswer } from '../../model/key-value.ts';
import type { Record } from '../../model/record.ts';
import { emptySession } from '../../model/session.ts';
import { covers, coversPosition } from '../../model/version-vector.ts';
import { waitUntil } from '../../runtime/wait-until.ts';
import { beginning, type Part } from '../part.ts';
import { auditCall } from './audit-call.ts';
import type { AuditOptions } from './audit-options.ts';
import { confirmed } from './confirmed.ts';
import { differs } from './differs.ts';

/**
 * Compares what a part holds of one key with what the upstream answers, and mends it. What the upstream covered when it
 * answered is waited for here, so that both speak of the same writes; where anything else moved meanwhile, nothing is
 * concluded.
 * @throws what the upstream fails with, or the store
 */
export async function compareKey(
  part: Part,
  key: RecordKey,
  options: AuditOptions,
  signal: AbortSignal,
): Promise<void> {
  const { upstreams, clock, edgeObserver, clockSkewMsMax } = options;
  const begun = beginning(part);
  const held = await part.ledger.store.read(key);
  const call = auditCall(options, signal);
  const request = { ...key, session: emptySession };
  const answer = await upstreams.ask(call, (upstream, asked) => upstream.get(request, asked));
  if (!covers(answer.covered, begun.known) || !spokenOf(answer, held)) return;
  const { ledger } = part;
  const caughtUp = () => covers(ledger.state.covered, answer.covered);
  if (!(await waitUntil(caughtUp, (run) => ledger.ring.onceChanged(run), { clock, ...call }))) return;
  // Of a namespace that was deleted meanwhile the feed shows no more; what is left goes in the background.
  if (ledger.registry.isDead(key.namespace)) return;
  const found = answer.record;
  if (found !== undefined && !coversPosition(ledger.state.covered, found.position)) return;
  const now = await ledger.store.read(key);
  if (now?.stamp !== held?.stamp || now?.kind !== held?.kind || part.generation() !== begun.generation) return;
  // What a cache does not hold it has forgotten meanwhile.
  if (part.kind === 'cache' && now === undefined) return;
  edgeObserver.audited(part.kind);
  if (!differs(now, found, clock.wallMs(), clockSkewMsMax)) return;
  if (!(await confirmed(part, key, found, begun.known, options, call))) return;
  const mended = await part.mend(key, now, found);
  edgeObserver.auditDiffered({ part: part.kind, key, held: now, found, responder: answer.responder, mended });
}

/**
 * False where what is held here came by a write or a load that the responder may not have heard of: so may any absence
 * of which no write is known.
 */
function spokenOf({ covered }: GetAnswer, held: Record | undefined): boolean {
  return held === undefined || (held.position.sequence > 0 && coversPosition(covered, held.position));
}
