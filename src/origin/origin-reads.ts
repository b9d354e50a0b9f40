import type { Call } from '../model/call.ts';
import { MeridianError, toMeridianError } from '../model/errors.ts';
import { countHit } from '../model/hit-counts.ts';
import { checkKey } from '../model/key.ts';
import type { GetAnswer, GetRequest, ListAnswer, ListRequest, Provenance } from '../model/key-value.ts';
import { decodeListCursor } from '../model/list-cursor.ts';
import { checkListLimit } from '../model/list-limit.ts';
import type { LogId, Position } from '../model/position.ts';
import { expireInPlace, isReadable, type Record } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import { joinSessions, type Session } from '../model/session.ts';
import { joinVectors, type VersionVector } from '../model/version-vector.ts';
import type { ReadCounter } from '../replication/hot-keys.ts';
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
  readonly hotKeys?: ReadCounter;
  readonly ownLog: OwnLog;
  /** The node's label, for answers. */
  readonly name: string;
  /** True once all that every other member had at this monotonic time is here. */
  readonly heardFromAllSince: (atMs: number) => boolean;
  /** True while nothing is held at a position that does not count. */
  readonly rewritten: () => boolean;
  /** Why another process may hold the store by now. */
  readonly fenced: () => string | undefined;
  /** Throws UNAVAILABLE if this origin does not answer any more. */
  readonly check: () => void;
}

/** What an answer is made of. */
interface Read extends Pick<Provenance, 'namespace' | 'covered' | 'session'> {
  /** Unset if it was in memory. */
  readonly boundMs?: number;
  readonly request?: Pick<GetRequest, 'maxStalenessMs'>;
}

/** Milliseconds between looks at what a session waits for; commits are noticed at once. */
const lookIntervalMs = 25;

/** Reads from an origin's own store. */
export class OriginReads {
  readonly #options: OriginReadsOptions;

  constructor(options: OriginReadsOptions) {
    this.#options = options;
  }

  /** As `KeyValue.peek`. What an origin has in memory is never older than its disk; only the session may wait. */
  peek(request: GetRequest): GetAnswer | undefined {
    const { ledger, originObserver } = this.#options;
    const namespace = ledger.registry.idOf(request.namespace);
    if (namespace === undefined || namespace === 'deleted') return undefined;
    const { covered } = ledger.state;
    const { session } = request;
    if (session.vector.size > 0 && ledger.registry.logs.uncovered(covered, session.vector).length > 0) return undefined;
    const hot = ledger.peek({ namespace, key: request.key });
    if (hot === undefined || (hot.record !== undefined && this.#isUncounted(hot.record.position))) return undefined;
    const record = this.#asRead(hot.record);
    countHit(originObserver.hits.origin, record?.kind === 'live');
    this.#options.hotKeys?.read(namespace, request.key);
    const after = ledger.registry.logs.session(session, record ?? { covered }, covered);
    return { record, ...this.#provenance({ namespace, covered, session: after }) };
  }

  async get(request: GetRequest, call: Call): Promise<GetAnswer> {
    return this.#measured('get', async () => {
      checkKey(request.key);
      const asked = await this.covering(request.session, call);
      const { ledger } = this.#options;
      const namespace = ledger.registry.require(request.namespace).id;
      const read = async () => {
        const { covered } = ledger.state;
        const age = this.#ageFromNow();
        const record = await ledger.read({ namespace, key: request.key });
        return { covered, record, shown: record === undefined ? [] : [record.position], age };
      };
      const { covered, record, age } = await this.#counted(read, call);
      this.#options.hotKeys?.read(namespace, request.key);
      const session = ledger.registry.logs.session(asked, record ?? { covered }, covered);
      return {
        record: this.#asRead(record),
        ...this.#provenance({ namespace, covered, session, boundMs: age(), request }),
      };
    });
  }

  async list(request: ListRequest, call: Call): Promise<ListAnswer> {
    return this.#measured('list', async () => {
      checkListLimit(request.limit);
      const asked = await this.covering(request.session, call);
      const { ledger, clock } = this.#options;
      const namespace = ledger.registry.require(request.namespace).id;
      const { prefix, limit, cursor } = request;
      const after = cursor === undefined ? undefined : decodeListCursor(cursor, namespace, prefix);
      const range = { namespace, prefix, limit, ...(after === undefined ? {} : { after }) };
      const { logs } = ledger.registry;
      const read = async () => {
        const age = this.#ageFromNow();
        const { snapshot, state } = ledger.instant();
        try {
          const { covered } = state;
          const { seen, ...page } = await listPage(snapshot, range, { covered, logs }, clock.wallMs());
          const shown = [...seen.vector].map(([log, sequence]) => ({ log, sequence }));
          return { covered, seen, page, shown, age };
        } finally {
          await snapshot.close();
        }
      };
      const { covered, seen, page, age } = await this.#counted(read, call);
      const session = logs.session(joinSessions(asked, seen), { covered }, covered);
      return { ...page, ...this.#provenance({ namespace, covered, session, boundMs: age(), request }) };
    });
  }

  /**
   * What is read, once everything that it shows counts. A record beyond a seal is written again (rule R23) once this
   * opening has sealed its past. Before that no session can name it, and another origin would answer such a session
   * with what was there before it. @throws UNAVAILABLE if that takes longer than the call
   */
  async #counted<T extends { readonly shown: readonly Position[] }>(read: () => Promise<T>, call: Call): Promise<T> {
    const { clock, check } = this.#options;
    for (;;) {
      const found = await read();
      if (!found.shown.some((position) => this.#isUncounted(position))) return found;
      let heard = false;
      const onceHeard = (run: () => void) =>
        this.#onceHeard(() => {
          heard = true;
          run();
        });
      const wait = { clock, deadlineMs: call.deadlineMs, signal: call.signal };
      const isLate = !(await waitUntil(() => heard, onceHeard, wait));
      check();
      if (!isLate) continue;
      throw new MeridianError(
        'UNAVAILABLE',
        'what is held lies beyond the end of its log, and is yet to be written again',
        {
          reason: 'beyond-seal',
          retryAfterMs: 1000,
        },
      );
    }
  }

  #isUncounted(position: Position): boolean {
    const { registry, state } = this.#options.ledger;
    const { logs } = registry;
    return logs.isBeyond(position) || logs.isVoid(position.log, state.covered);
  }

  /**
   * Waits for what the session saw (rule R14), and resolves with the part of the session that exists. @throws
   * UNAVAILABLE naming the logs that are missing, or if this origin stopped serving meanwhile
   */
  async covering(session: Session, call: Call): Promise<Session> {
    const { ledger, clock, check } = this.#options;
    const { logs } = ledger.registry;
    const askedMs = clock.monotonicMs();
    let vector: VersionVector | undefined;
    const covered = () => {
      vector = this.#found(session.vector, askedMs);
      return vector !== undefined;
    };
    if (!holds('R14 an origin waits for the session')) return session;
    if (!covered()) {
      const wait = { clock, deadlineMs: call.deadlineMs, signal: call.signal };
      await waitUntil(covered, (run) => this.#onceHeard(run), wait);
      check();
    }
    if (vector !== undefined) return vector === session.vector ? session : { ...session, vector };
    const missing = logs.uncovered(ledger.state.covered, session.vector);
    const names = missing.map((log) => this.#nameOf(log)).join(', ');
    throw new MeridianError('UNAVAILABLE', `the session saw writes of ${names} that are not here yet`, {
      reason: 'session-not-covered',
    });
  }

  /**
   * The vector without logs that were lost with their disk before another member heard of them; undefined while something
   * of it is not here. A member registers its log before it answers anybody. So once all that each other member had since
   * the question is here, a log that is still unknown is known to nobody.
   *
   * What lies beyond a seal, or in a void log, needs that proof as well. Who sealed the log asked the members that it
   * knew, and its disk may have been put back to when it did not know all of them:
   *
   *     a, put back: knows no b · seals its log at 5 · admits b · hears of 6 to 9, which b has · writes them again
   *                                                  | a session that names 9 waits for that
   *
   * What was written again, whoever answers next may lack: so all that is covered here takes the place of what is cut.
   */
  #found(vector: VersionVector, askedMs: number): VersionVector | undefined {
    const { ledger, heardFromAllSince, rewritten } = this.#options;
    const { logs } = ledger.registry;
    const { covered } = ledger.state;
    const lacking = logs.uncovered(covered, vector);
    if (lacking.length === 0) return vector;
    const isProven = heardFromAllSince(askedMs) && rewritten();
    const isUnknown = lacking.some((log) => logs.get(log) === undefined);
    if (isUnknown && !isProven && holds('R14 a lost log by proof')) return undefined;
    const isCut = lacking.some((log) => logs.get(log) !== undefined);
    if (isCut && !isProven && holds('R14 a cut by proof')) return undefined;
    const rest = new Map([...vector].filter(([log]) => !lacking.includes(log)));
    const known = new Map([...vector].filter(([log]) => logs.get(log) !== undefined));
    return logs.covers(covered, known) ? joinVectors(rest, covered) : undefined;
  }

  /** Calls `run` at the next commit, or a little later: an echo may have come. */
  #onceHeard(run: () => void): () => void {
    const { ledger, clock } = this.#options;
    const forget = ledger.ring.onceChanged(run);
    const timer = clock.timer(lookIntervalMs, run);
    return () => {
      forget();
      timer.cancel();
    };
  }

  #asRead(record: Record | undefined): Record | undefined {
    if (record?.kind !== 'live' || isReadable(record, this.#options.clock.wallMs())) return record;
    return expireInPlace(record);
  }

  /** The origin that wrote in the log, if it is known. */
  #nameOf(log: LogId): string {
    const { logs, members } = this.#options.ledger.registry;
    const member = logs.get(log)?.member;
    return member === undefined ? `log ${log}` : `${members.nameOf(member)} (log ${log})`;
  }

  /**
   * Call the result once the store has answered, which may take a while: it tells how old that answer is. It is as old
   * as the question, or 0 if nothing was committed since, here or by another process.
   */
  #ageFromNow(): () => number {
    const { ledger, clock, fenced } = this.#options;
    const sinceMs = clock.monotonicMs();
    const { state, reopenings } = ledger;
    const place = ledger.ring.end;
    return () => {
      const isCurrent =
        ledger.state === state &&
        ledger.ring.end === place &&
        ledger.reopenings === reopenings &&
        !ledger.inDoubt &&
        fenced() === undefined;
      return isCurrent ? 0 : clock.monotonicMs() - sinceMs;
    };
  }

  #provenance({ namespace, covered, session, boundMs = 0, request }: Read): Provenance {
    const { ownLog, name } = this.#options;
    const wished = request?.maxStalenessMs ?? 0;
    const past = wished > 0 && boundMs > wished;
    const bound = { boundMs, root: ownLog.id };
    return { namespace, covered, session, source: 'origin', bound, past, responder: name };
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
