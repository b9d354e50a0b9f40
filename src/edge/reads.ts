import type { Call } from '../model/call.ts';
import { isMeridianError, toMeridianError } from '../model/errors.ts';
import { countHit } from '../model/hit-counts.ts';
import type { RecordKey } from '../model/key.ts';
import type { GetAnswer, GetRequest } from '../model/key-value.ts';
import { expireInPlace, isReadable, type Record } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import type { Session } from '../model/session.ts';
import { covers, emptyVector, type VersionVector } from '../model/version-vector.ts';
import type { ReadCounter } from '../replication/hot-keys.ts';
import { unknownNamespace } from '../replication/registry.ts';
import type { Clock, ExpiryClock } from '../runtime/clock.ts';
import { judged } from './answer-age.ts';
import type { EdgeBounds } from './edge-options.ts';
import type { EdgeScopes } from './edge-scopes.ts';
import type { KnownTitles } from './known-titles.ts';
import type { Loads } from './loads.ts';
import type { EdgeObserver } from './observer.ts';
import { decideRead, isFresh, mayServeStale, type ReadCase } from './read-decision.ts';
import { inTermsOfSession, isTrouble, type ReadTermsOptions, readFacts } from './read-terms.ts';
import type { HeldRecord, Scope } from './scope.ts';

export interface ReadsOptions extends ReadTermsOptions, Pick<EdgeBounds, 'loadTimeoutMs'> {
  readonly loads: Loads;
  readonly scopes: () => EdgeScopes | undefined;
  readonly titles: KnownTitles;
  readonly clock: Clock;
  readonly expiryClock: ExpiryClock;
  readonly edgeObserver: EdgeObserver;
  readonly hotKeys?: ReadCounter;
  /** This edge's name, for answers from what it holds. */
  readonly responder: string;
}

/** The share of a read's time that a load may take if a held answer could be served after it. */
const patientShare = 0.8;

interface Looked {
  readonly scope: Scope;
  readonly key: RecordKey;
  readonly held: HeldRecord | undefined;
  /** What the scope covered before the look. */
  readonly covered: VersionVector;
}

/**
 * Reads of one key: look, decide, serve or load, and if the load fails decide again.
 *
 * `peek` is the path of a hit, from top to bottom: `EdgeScopes.locate` says which scope the key belongs to, its `peek`
 * what is in memory, `isFresh` whether that is served. It bends the house's style for speed, and nowhere else does the
 * edge: it awaits nothing, counts in plain fields, and asks only what a hit needs. A read that it does not serve goes
 * to `get`, which looks again. `npm run bench` (hot-get) shows what that is worth; test/edge/hits.test.ts checks it.
 */
export class Reads {
  readonly #options: ReadsOptions;
  #hits = 0;
  #answered = 0;

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  /** The share of the reads answered so far that needed no load; undefined before the first. */
  get hitRate(): number | undefined {
    return this.#answered === 0 ? undefined : this.#hits / this.#answered;
  }

  /** As `KeyValue.peek`. */
  peek(request: GetRequest): GetAnswer | undefined {
    const { scopes, maxStalenessMs, titles, responder, edgeObserver, hotKeys } = this.#options;
    const { key, session } = request;
    const located = scopes()?.locate(request.namespace, key);
    if (located === undefined || located === 'deleted') return undefined;
    const { scope, namespace } = located;
    const held = scope.peek({ namespace, key });
    if (held === undefined || held.superseded) return undefined;
    const { record: stored, bound } = held;
    const wishes = { maxStalenessMs: request.maxStalenessMs ?? maxStalenessMs, atOrigin: request.atOrigin === true };
    if (bound === undefined || !isFresh(bound.boundMs, wishes, 0)) return undefined;
    const { state, registry } = scope.ledger;
    const { covered } = state;
    const isMet =
      covers(covered, session.vector) || meets(request, { scope, key: { namespace, key }, held, covered }, titles);
    if (!isMet) return undefined;
    const record = this.#asRead(stored);
    this.#answered++;
    this.#hits++;
    countHit(edgeObserver.hits[scope.kind], record?.kind === 'live');
    hotKeys?.read(namespace, key);
    return {
      record,
      session: registry.logs.session(session, record ?? { covered }, covered),
      namespace,
      source: scope.kind,
      past: false,
      covered,
      responder,
      bound,
    };
  }

  async get(request: GetRequest, call: Call): Promise<GetAnswer> {
    const { clock, edgeObserver } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      const { answer, hit } = await this.#get(request, call);
      this.#answered++;
      if (hit) this.#hits++;
      edgeObserver.cacheLooked(hit);
      this.#options.hotKeys?.read(answer.namespace, request.key);
      const outcome = answer.record?.kind === 'live' ? 'found' : 'absent';
      edgeObserver.read('get', answer.source, answer.past ? 'past' : outcome, clock.monotonicMs() - startedMs);
      return answer;
    } catch (error) {
      edgeObserver.read('get', 'none', toMeridianError(error).code, clock.monotonicMs() - startedMs);
      throw error;
    }
  }

  async #get(request: GetRequest, call: Call): Promise<{ readonly answer: GetAnswer; readonly hit: boolean }> {
    const looked = await this.#look(request);
    const facts = this.#facts(request, looked);
    const decision = decideRead(facts);
    if (looked?.held !== undefined && decision !== 'load' && decision !== 'refuse') {
      if (decision === 'serve-and-refresh') this.#refresh(looked, request, call);
      return { answer: this.#answer(looked, looked.held, facts, request.session), hit: true };
    }
    try {
      const answer = await this.#options.loads.load(looked?.scope, looked?.key, request, this.#patience(facts, call));
      this.#options.titles.learn(request.namespace, answer.namespace, answer.covered);
      return { answer: judged(answer, request.maxStalenessMs), hit: false };
    } catch (error) {
      if (!isTrouble(error) || call.signal.aborted) throw error;
      const later = await this.#look(request);
      const laterFacts = this.#facts(request, later);
      if (later?.held === undefined || decideRead({ ...laterFacts, loadFailed: true }) !== 'serve-stale') {
        throw inTermsOfSession(error, request.session.vector, later?.scope.ledger);
      }
      return { answer: this.#answer(later, later.held, laterFacts, request.session), hit: true };
    }
  }

  /** What is held of the key. Undefined if the name is not known here: then the upstream decides what it means. */
  async #look({ namespace: name, key }: GetRequest): Promise<Looked | undefined> {
    const located = this.#options.scopes()?.locate(name, key);
    if (located === 'deleted') throw unknownNamespace(name);
    if (located === undefined) return undefined;
    const { scope, namespace } = located;
    const { covered } = scope.ledger.state;
    const recordKey = { namespace, key };
    return { scope, key: recordKey, held: await scope.lookup(recordKey).catch(nothingHeld), covered };
  }

  #facts(request: GetRequest, looked: Looked | undefined): ReadCase {
    const held = looked?.held;
    const found = {
      held: held === undefined ? 'nothing' : held.superseded ? 'superseded' : 'valid',
      boundMs: held?.bound?.boundMs,
      sessionCovered: looked !== undefined && meets(request, looked, this.#options.titles),
    } as const;
    return readFacts(request, this.#options, found);
  }

  #answer(
    { scope, key, covered: before }: Looked,
    { record, bound, superseded }: HeldRecord,
    facts: ReadCase,
    asked: Session,
  ): GetAnswer {
    const past = superseded || bound === undefined || bound.boundMs > facts.maxStalenessMs;
    // A superseded record is not what this edge covers: an edge below would keep it for good (rule R13).
    const covered = scope.hasCaughtUp && !superseded ? before : emptyVector;
    const shown = this.#asRead(record);
    return {
      record: shown,
      session: scope.ledger.registry.logs.session(asked, shown ?? { covered }, before),
      namespace: key.namespace,
      source: scope.kind,
      past,
      covered,
      responder: this.#options.responder,
      ...(bound === undefined ? {} : { bound }),
    };
  }

  /** An expired record reads as its tombstone; an absence that nobody wrote reads as nothing. */
  #asRead(record: Record | undefined): Record | undefined {
    if (record === undefined || record.position.sequence === 0) return undefined;
    if (record.kind === 'tombstone' || record.expiresAt === undefined) return record; // No clock is asked.
    return isReadable(record, this.#options.expiryClock.nowMs()) ? record : expireInPlace(record);
  }

  /** If a stale answer would do, the load ends early enough for it to reach the reader before the deadline. */
  #patience(facts: ReadCase, call: Call): Call {
    if (!mayServeStale({ ...facts, loadFailed: true })) return call;
    const nowMs = this.#options.clock.monotonicMs();
    return { ...call, deadlineMs: nowMs + (call.deadlineMs - nowMs) * patientShare };
  }

  #refresh({ scope, key }: Looked, request: GetRequest, { hops }: Call): void {
    const { clock, loads, loadTimeoutMs } = this.#options;
    const deadlineMs = clock.monotonicMs() + loadTimeoutMs;
    // Two edges that are each other's upstreams would refresh each other for ever without a count of hops.
    const call = { deadlineMs, signal: new AbortController().signal, ...(hops === undefined ? {} : { hops }) };
    // Its reader was served; a failure is counted by the load and shows in the bound of the next read.
    loads.load(scope, key, request, call).catch(() => {});
  }
}

/** A failing store counts as empty: the upstream is asked, as by an edge without a disk. */
function nothingHeld(error: unknown): undefined {
  if (!isMeridianError(error, 'UNAVAILABLE') && !isMeridianError(error, 'INTERNAL')) throw error;
}

/**
 * Rule R14: the session is covered, or all of it but one component, for which the held record itself is far enough. If
 * the read named a title, the title must be sure to mean the record's namespace up to there.
 */
function meets(
  { session: { vector: session }, namespace }: GetRequest,
  { held, covered, scope, key }: Looked,
  titles: KnownTitles,
): boolean {
  if (session.size === 0 || !holds('R14 what is held answers for the session')) return true;
  if (held === undefined || held.superseded || !scope.hasCaughtUp) return false;
  const missing = scope.ledger.registry.logs.uncovered(covered, session);
  if (missing.length === 0) return true;
  const position = held.record?.position;
  const [only] = missing;
  return (
    missing.length === 1 &&
    only !== undefined &&
    titles.isSure(namespace, key.namespace, only, session.get(only) ?? 0) &&
    position !== undefined &&
    (position.log === only || !holds('R14 a record stands in for its own log')) &&
    position.sequence >= (session.get(position.log) ?? 0)
  );
}
