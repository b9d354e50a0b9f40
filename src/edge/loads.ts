import type { Call } from '../model/call.ts';
import { MeridianError } from '../model/errors.ts';
import { mapKey, type RecordKey } from '../model/key.ts';
import type { GetAnswer, GetRequest } from '../model/key-value.ts';
import { absence } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import { bottomStamp } from '../model/stamp.ts';
import { inStep, type Trace } from '../model/trace.ts';
import { formatVector } from '../model/version-vector.ts';
import { hasEnded, type SettledTime } from '../replication/clocks/settled-time.ts';
import type { InFlight } from '../replication/following/observed.ts';
import { type Moment, momentOf } from '../runtime/moment.ts';
import { type AgeTerms, agedSince } from './answer-age.ts';
import type { LoadPermits } from './load-permits.ts';
import type { EdgeObserver } from './observer.ts';
import { beginning, mayKeep, type Scope } from './scope.ts';
import type { Upstreams } from './upstreams.ts';

export interface LoadsOptions extends AgeTerms {
  readonly upstreams: Upstreams;
  readonly edgeObserver: EdgeObserver;
  readonly permits: LoadPermits;
  /** The time to go by for what cannot be undone. */
  readonly settled: Pick<SettledTime, 'look'>;
  /** Milliseconds that one load may take. */
  readonly loadTimeoutMs: number;
}

/** Tries of one load while its answers are older than what the feed has named meanwhile (rule R12). */
const triesMax = 3;

/** An answer, and the moment at which its bound was true. */
interface Loaded {
  readonly answer: GetAnswer;
  readonly at: Moment;
}

/** One load and the readers that wait for it. */
interface SharedLoad {
  readonly answer: Promise<Loaded>;
  readonly controller: AbortController;
  /** Set if its first reader is traced. */
  readonly trace: Trace | undefined;
  waiters: number;
  /** All readers that ever waited for it. */
  readers: number;
  /** False while it waits for a permit. */
  begun: boolean;
  ended: boolean;
}

/** How one load asks. */
interface Asking {
  /** Milliseconds that its first reader has. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
  readonly hops: number;
  readonly requestId: string | undefined;
  readonly trace: Trace | undefined;
}

/** The read-through: get → join or start one load → keep what may be kept. */
export class Loads {
  readonly #options: LoadsOptions;
  readonly #loads = new Map<string, SharedLoad>();
  #unshared = 0;

  constructor(options: LoadsOptions) {
    this.#options = options;
  }

  /** Readers that miss the same key, with the same wishes, share one load. @throws what the upstream throws */
  async load(
    scope: Scope | undefined,
    key: RecordKey | undefined,
    request: GetRequest,
    call: Call,
  ): Promise<GetAnswer> {
    // A reader that asks the origin must not get what the origin said before the question.
    const asksOrigin = request.atOrigin === true || request.maxStalenessMs === 0;
    // Nor may a read that other edges passed on wait for a load that may have been passed on to them.
    const name = asksOrigin ? `origin ${this.#unshared++}` : `${call.hops ?? 0} ${loadName(request)}`;
    const underWay = this.#loads.get(name);
    if (underWay !== undefined) this.#options.edgeObserver.loadJoined();
    const load = underWay ?? this.#begin(name, scope, key, request, call);
    load.waiters++;
    load.readers++;
    try {
      const { answer, at } = await (underWay === undefined
        ? this.#waitFor(load, call)
        : inStep(call, ['wait for load', { links: load.trace === undefined ? [] : [load.trace] }], () =>
            this.#waitFor(load, call),
          ));
      return agedSince(answer, at, this.#options);
    } finally {
      load.waiters--;
      if (load.waiters === 0 && !load.ended) {
        // No reader may join a load that is being given up.
        this.#forget(name, load);
        load.controller.abort(new MeridianError('CANCELLED', 'nobody waits', { reason: 'cancelled' }));
      }
    }
  }

  #begin(
    name: string,
    scope: Scope | undefined,
    key: RecordKey | undefined,
    request: GetRequest,
    first: Call,
  ): SharedLoad {
    const { clock, loadTimeoutMs, permits } = this.#options;
    const controller = new AbortController();
    const { signal } = controller;
    const nowMs = clock.monotonicMs();
    // Later readers may wait for longer; if one upstream is silent, the first reader shall have an answer too.
    const { requestId } = first;
    const trace = first.trace?.step('load');
    const patienceMs = Math.min(loadTimeoutMs, first.deadlineMs - nowMs);
    const answer = permits
      .run({ deadlineMs: nowMs + loadTimeoutMs, signal }, () => {
        load.begun = true;
        return this.#start(scope, key, request, { patienceMs, signal, hops: first.hops ?? 0, requestId, trace });
      })
      .finally(() => {
        load.ended = true;
        this.#forget(name, load);
      });
    const load: SharedLoad = { answer, controller, trace, waiters: 0, readers: 0, begun: false, ended: false };
    if (trace !== undefined) endWith(trace, load);
    this.#loads.set(name, load);
    return load;
  }

  #forget(name: string, load: SharedLoad): void {
    if (this.#loads.get(name) === load) this.#loads.delete(name);
  }

  async #start(scope: Scope | undefined, key: RecordKey | undefined, request: GetRequest, asking: Asking) {
    const { edgeObserver } = this.#options;
    edgeObserver.loadStarted();
    let outcome: 'kept' | 'passed-on' | 'failed' = 'failed';
    try {
      const { kept, ...loaded } = await this.#loadAndKeep(scope, key, request, asking);
      outcome = kept ? 'kept' : 'passed-on';
      return loaded;
    } finally {
      edgeObserver.loadEnded(outcome);
    }
  }

  async #loadAndKeep(scope: Scope | undefined, key: RecordKey | undefined, request: GetRequest, asking: Asking) {
    if (scope === undefined || key === undefined) return { ...(await this.#ask(request, asking)), kept: false };
    const name = mapKey(key.namespace, key.key);
    const inFlight = scope.observed.begin(name);
    try {
      for (let attempt = 1; ; attempt++) {
        const begun = beginning(scope);
        const { answer, at } = await this.#ask(request, asking);
        const verdict = this.#verdict(scope, answer, inFlight);
        if (verdict !== 'true' && attempt < triesMax) continue;
        if (verdict === 'seal-unheard') throw sealUnheard(answer.responder);
        if (verdict === 'older') {
          const { bound: _bound, ...rest } = answer;
          return { answer: { ...rest, past: true }, at, kept: false };
        }
        const stamp = answer.record?.stamp ?? bottomStamp;
        const keep =
          mayKeep(scope, begun, answer.covered, answer.record?.position) &&
          answer.namespace === key.namespace &&
          // A record that expired by a clock that jumped would stay absent here once the clock is set right (rule R9).
          hasEnded(answer.record, this.#options.settled) &&
          (inFlight.latest === undefined || stamp >= inFlight.latest);
        if (!keep) return { answer, at, kept: false };
        // The answer is true whether or not there is room to keep it.
        const installed = scope.install(answer.record ?? absence(key.namespace, key.key)).then(
          () => true,
          () => false,
        );
        return { answer, at, kept: await installed };
      }
    } finally {
      scope.observed.end(name, inFlight);
    }
  }

  /**
   * `older`: the feed has named a later stamp than the answer shows (rule R12). `seal-unheard`: the responder claims or
   * shows something beyond a seal that is known here, so it has not heard yet that nobody keeps that (rule R23).
   */
  #verdict({ ledger, observed }: Scope, { record, covered }: GetAnswer, inFlight: InFlight) {
    const { logs } = ledger.registry;
    const isBeyond = logs.beyondIn(covered) !== undefined || (record !== undefined && logs.isBeyond(record.position));
    if (isBeyond && holds('R23 a load hears of seals')) return 'seal-unheard';
    const stamp = record?.stamp ?? bottomStamp;
    const isOlder = inFlight.latest !== undefined && stamp < inFlight.latest;
    return isOlder && !logs.covers(covered, observed.vector, ledger.state.covered) ? 'older' : 'true';
  }

  /** The answer's age counts from when it was asked for. */
  async #ask(request: GetRequest, { patienceMs, signal, hops, requestId, trace }: Asking): Promise<Loaded> {
    const { clock, upstreams, loadTimeoutMs } = this.#options;
    const sent = momentOf(clock);
    const call = { deadlineMs: sent.atMs + loadTimeoutMs, signal, hops, requestId, trace };
    const answer = await upstreams.ask(call, (upstream, asked) => upstream.get(request, asked), patienceMs);
    return { answer: agedSince(answer, sent, this.#options), at: momentOf(clock) };
  }

  /** The waiter's own deadline and signal; the load goes on for the others. */
  #waitFor(load: SharedLoad, { deadlineMs, signal }: Call): Promise<Loaded> {
    const { clock, permits } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = clock.timer(deadlineMs - clock.monotonicMs(), () => {
        settle();
        reject(load.begun ? tooLate() : permits.refusal());
      });
      const onAbort = () => {
        settle();
        reject(new MeridianError('CANCELLED', 'the caller went away', { reason: 'cancelled', cause: signal.reason }));
      };
      const settle = () => {
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      load.answer.then(
        (answer) => {
          settle();
          resolve(answer);
        },
        (error: unknown) => {
          settle();
          reject(error);
        },
      );
    });
  }
}

/** The readers that wait for the load hear how it went; the trace only reports it. */
function endWith(trace: Trace, load: SharedLoad): void {
  const end = (failure?: unknown) => {
    trace.tell({ 'meridian.load.readers': load.readers });
    trace.end(failure);
  };
  load.answer.then(() => end(), end);
}

function sealUnheard(responder: string): MeridianError {
  return new MeridianError('UNAVAILABLE', `${responder} has not heard yet where a log ends`, {
    reason: 'seal-unheard',
    retryAfterMs: 200,
  });
}

function tooLate(): MeridianError {
  return new MeridianError('DEADLINE_EXCEEDED', 'the deadline passed while loading', { reason: 'deadline' });
}

function loadName({ namespace, key, session, maxStalenessMs, atOrigin }: GetRequest): string {
  return JSON.stringify([namespace, key, formatVector(session.vector), session.stamp, maxStalenessMs, atOrigin]);
}
