import type { Call } from '../model/call.ts';
import { MeridianError, toMeridianError } from '../model/errors.ts';
import { checkKey } from '../model/key.ts';
import type { GetAnswer, GetRequest, ListAnswer, ListRequest, Provenance } from '../model/key-value.ts';
import { decodeListCursor } from '../model/list-cursor.ts';
import { checkListLimit } from '../model/list-limit.ts';
import type { NamespaceId } from '../model/namespace.ts';
import type { LogId } from '../model/position.ts';
import { expireInPlace, isReadable, type Record } from '../model/record.ts';
import { joinSessions, type Session } from '../model/session.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { Ledger } from '../replication/ledger.ts';
import { listPage } from '../replication/list-page.ts';
import type { Clock } from '../runtime/clock.ts';
import { waitUntil } from '../runtime/wait-until.ts';
import type { OriginObserver } from './observer.ts';
import type { OwnLog } from './own-log.ts';

export interface OriginReadsOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly originObserver: OriginObserver;
  readonly ownLog: OwnLog;
  /** The node's label, which answers name. */
  readonly name: string;
  /** Whether this origin answers still. Throws UNAVAILABLE. */
  readonly check: () => void;
}

/** Reads from an origin's own store. */
export class OriginReads {
  readonly #options: OriginReadsOptions;

  constructor(options: OriginReadsOptions) {
    this.#options = options;
  }

  async get(request: GetRequest, call: Call): Promise<GetAnswer> {
    return this.#measured('get', async () => {
      checkKey(request.key);
      await this.covering(request.session.vector, call);
      const { ledger } = this.#options;
      const namespace = ledger.registry.require(request.namespace).id;
      const { covered } = ledger.state;
      const record = await ledger.store.read({ namespace, key: request.key });
      const session = ledger.registry.logs.session(request.session, record ?? { covered }, covered);
      return { record: this.#asRead(record), ...this.#provenance(namespace, covered, session) };
    });
  }

  async list(request: ListRequest, call: Call): Promise<ListAnswer> {
    return this.#measured('list', async () => {
      checkListLimit(request.limit);
      await this.covering(request.session.vector, call);
      const { ledger, clock } = this.#options;
      const namespace = ledger.registry.require(request.namespace).id;
      const { prefix, limit, cursor } = request;
      const after = cursor === undefined ? undefined : decodeListCursor(cursor, namespace, prefix);
      const { snapshot, state } = ledger.instant();
      try {
        const range = { namespace, prefix, limit, ...(after === undefined ? {} : { after }) };
        const { logs } = ledger.registry;
        const { covered } = state;
        const { seen, ...page } = await listPage(snapshot, range, { covered, logs }, clock.wallMs());
        const session = logs.session(joinSessions(request.session, seen), { covered }, covered);
        return { ...page, ...this.#provenance(namespace, covered, session) };
      } finally {
        await snapshot.close();
      }
    });
  }

  /**
   * Waits for what the session saw (rule R14). @throws UNAVAILABLE naming the logs that are missing, or where this origin
   * stopped serving meanwhile
   */
  async covering(vector: VersionVector, call: Call): Promise<void> {
    const { ledger, clock, check } = this.#options;
    const { logs } = ledger.registry;
    const covered = () => logs.covers(ledger.state.covered, vector);
    if (covered()) return;
    const wait = { clock, deadlineMs: call.deadlineMs, signal: call.signal };
    const isCovered = await waitUntil(covered, (run) => ledger.ring.onceChanged(run), wait);
    check();
    if (isCovered) return;
    const missing = logs.missing(ledger.state.covered, vector);
    throw new MeridianError('UNAVAILABLE', `the session saw writes of ${missing.map((log) => this.#nameOf(log)).join(', ')} that are not here yet`, {
      reason: 'session-not-covered',
    });
  }

  #asRead(record: Record | undefined): Record | undefined {
    if (record?.kind !== 'live' || isReadable(record, this.#options.clock.wallMs())) return record;
    return expireInPlace(record);
  }

  /** The origin that wrote in the log, where that is known. */
  #nameOf(log: LogId): string {
    const { logs, members } = this.#options.ledger.registry;
    const member = logs.get(log)?.member;
    return member === undefined ? `log ${log}` : `${members.nameOf(member)} (log ${log})`;
  }

  #provenance(namespace: NamespaceId, covered: VersionVector, session: Session): Provenance {
    const { ownLog, name } = this.#options;
    const bound = { boundMs: 0, root: ownLog.id };
    return { namespace, source: 'origin', bound, past: false, covered, responder: name, session };
  }

  async #measured<T extends GetAnswer | ListAnswer>(kind: 'get' | 'list', read: () => Promise<T>): Promise<T> {
    const { clock, originObserver } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      const answer = await read();
      const found = 'keys' in answer || answer.record?.kind === 'live';
      originObserver.read(kind, found ? 'found' : 'absent', clock.monotonicMs() - startedMs);
      return answer;
    } catch (error) {
      originObserver.read(kind, toMeridianError(error).code, clock.monotonicMs() - startedMs);
      throw error;
    }
  }
}
