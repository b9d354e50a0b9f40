import type { RecordKey } from '../../model/key.ts';
import type { GetAnswer } from '../../model/key-value.ts';
import type { Record } from '../../model/record.ts';
import { emptySession } from '../../model/session.ts';
import type { Logs } from '../../replication/logs.ts';
import { waitUntil } from '../../runtime/wait-until.ts';
import { beginning, type Scope } from '../scope.ts';
import { auditCall } from './audit-call.ts';
import type { AuditOptions } from './audit-options.ts';
import { differs } from './differs.ts';

/**
 * Compares what a scope holds of one key with what the upstream answers, and repairs it. What the upstream covered when it
 * answered is waited for here, so that both speak of the same writes; where anything else moved meanwhile, nothing is
 * concluded.
 * @throws what the upstream fails with, or the store
 */
export async function compareKey(
  scope: Scope,
  key: RecordKey,
  options: AuditOptions,
  signal: AbortSignal,
): Promise<void> {
  const { upstreams, clock, expiryClock, edgeObserver, clockSkewMsMax } = options;
  const begun = beginning(scope);
  const held = await scope.ledger.store.read(key);
  const call = auditCall(options, signal);
  const request = { ...key, session: emptySession };
  const answer = await upstreams.ask(call, (upstream, asked) => upstream.get(request, asked));
  const { ledger, observed } = scope;
  const { logs } = ledger.registry;
  if (!logs.covers(answer.covered, begun.known, ledger.state.covered) || !isSpokenOf(answer, held, logs)) return;
  const caughtUp = () => logs.covers(ledger.state.covered, answer.covered);
  if (!(await waitUntil(caughtUp, (run) => ledger.ring.onceChanged(run), { clock, ...call }))) return;
  // What is held may be void as of now; then everything is taken anew.
  if (!scope.hasCaughtUp) return;
  // Of a namespace that was deleted meanwhile the feed shows no more; what is left goes in the background.
  if (ledger.registry.isDead(key.namespace)) return;
  const found = answer.record;
  if (found !== undefined && !logs.coversPosition(ledger.state.covered, found.position)) return;
  const now = await ledger.store.read(key);
  if (now?.stamp !== held?.stamp || now?.kind !== held?.kind || observed.generation !== begun.generation) return;
  // What a cache does not hold it has forgotten meanwhile.
  if (scope.kind === 'cache' && now === undefined) return;
  edgeObserver.audited(scope.kind);
  if (!differs(now, found, expiryClock.nowMs(), clockSkewMsMax)) return;
  const repaired = await scope.repair(key, now, found);
  edgeObserver.auditDiffered({ scope: scope.kind, key, held: now, found, responder: answer.responder, repaired });
}

/**
 * False where what is held here came by a write or a load that the responder may not have heard of: so may any absence
 * of which no write is known.
 */
function isSpokenOf({ covered }: GetAnswer, held: Record | undefined, logs: Logs): boolean {
  return held === undefined || (held.position.sequence > 0 && logs.coversPosition(covered, held.position));
}
