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
 * Compares what a scope holds of one key with the upstream's answer, and repairs it. It waits until the scope covers
 * what the upstream covered when it answered, so that both speak of the same writes. If anything else moved meanwhile,
 * it concludes nothing.
 * @throws the error of the upstream, or of the store
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
  // All that is held may be void by now; then everything is taken anew.
  if (!scope.hasCaughtUp) return;
  // The feed shows no more of a namespace that was deleted meanwhile; its records are removed in the background.
  if (ledger.registry.isDead(key.namespace)) return;
  const found = answer.record;
  if (found !== undefined && !logs.coversPosition(ledger.state.covered, found.position)) return;
  const now = await ledger.store.read(key);
  if (now?.stamp !== held?.stamp || now?.kind !== held?.kind || observed.generation !== begun.generation) return;
  // The cache has forgotten the key meanwhile.
  if (scope.kind === 'cache' && now === undefined) return;
  edgeObserver.audited(scope.kind);
  if (!differs(now, found, expiryClock.nowMs(), clockSkewMsMax)) return;
  const repaired = await scope.repair(key, now, found);
  edgeObserver.auditDiffered({ scope: scope.kind, key, held: now, found, responder: answer.responder, repaired });
}

/**
 * False if the held record came by a write or a load that the responder may not have heard of. A held absence whose
 * write is not known may be such a load.
 */
function isSpokenOf({ covered }: GetAnswer, held: Record | undefined, logs: Logs): boolean {
  return held === undefined || (held.position.sequence > 0 && logs.coversPosition(covered, held.position));
}
