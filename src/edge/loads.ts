import type { Call } from '../model/call.ts';
import { MeridianError } from '../model/errors.ts';
import { mapKey, type RecordKey } from '../model/key.ts';
import type { GetAnswer, GetRequest } from '../model/key-value.ts';
import { absence } from '../model/record.ts';
import { bottomStamp } from '../model/stamp.ts';
import { covers, formatVector } from '../model/version-vector.ts';
import type { Clock } from '../runtime/clock.ts';
import type { EdgeObserver } from './observer.ts';
import { beginning, type Part } from './part.ts';
import type { Upstreams } from './upstreams.ts';

export interface LoadsOptions {
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly edgeObserver: EdgeObserver;
  /** Loads under way at once; one more is refused with RESOURCE_EXHAUSTED. */
  readonly loadsMax: number;
  /** Milliseconds that one load may take. */
  readonly loadTimeoutMs: number;
}

/** Tries of one load whose answers are older than what the feed has named meanwhile (rule R12). */
const triesMax = 3;

/** One load and those who wait for it. */
interface SharedLoad {
  readonly answer: Promise<GetAnswer>;
  readonly controller: AbortController;
  waiters: number;
}

/** The read-through: get → join or start one load → keep what may be kept. */
export class Loads {
  readonly #options: LoadsOptions;
  readonly #loads = new Map<string, SharedLoad>();
  #inFlight = 0;
  #unshared = 0;

  constructor(options: LoadsOptions) {
    this.#options = options;
  }

  /** Many who miss the same key, with the same wishes, share one load. @throws what the upstream throws */
  async load(part: Part | undefined, key: RecordKey | undefined, request: GetRequest, call: Call): Promise<GetAnswer> {
    // Who asks the origin is not served by what the origin said before the question.
    const asksOrigin = request.atOrigin === true || request.maxStalenessMs === 0;
    const name = asksOrigin ? `origin ${this.#unshared++}` : flightName(request);
    const flying = this.#loads.get(name);
    if (flying !== undefined) this.#options.edgeObserver.loadJoined();
    const load = flying ?? this.#begin(name, part, key, request);
    load.waiters++;
    try {
      return await this.#waitFor(load.answer, call);
    } finally {
      load.waiters--;
      if (load.waiters === 0) {
        // Nobody may join a load that is being given up.
        this.#forget(name, load);
        load.controller.abort(new MeridianError('CANCELLED', 'nobody waits', { reason: 'cancelled' }));
      }
    }
  }

  #begin(name: string, part: Part | undefined, key: RecordKey | undefined, request: GetRequest): SharedLoad {
    const { loadsMax } = this.#options;
    if (this.#inFlight >= loadsMax) {
      throw new MeridianError('RESOURCE_EXHAUSTED', `${loadsMax} loads are under way already`, {
        reason: 'too-many-loads',
        limit: loadsMax,
        seen: this.#inFlight + 1,
        retryAfterMs: 100,
      });
    }
    this.#inFlight++;
    const controller = new AbortController();
    const answer = this.#start(part, key, request, controller.signal).finally(() => {
      this.#inFlight--;
      this.#forget(name, load);
    });
    const load: SharedLoad = { answer, controller, waiters: 0 };
    this.#loads.set(name, load);
    return load;
  }

  #forget(name: string, load: SharedLoad): void {
    if (this.#loads.get(name) === load) this.#loads.delete(name);
  }

  async #start(part: Part | undefined, key: RecordKey | undefined, request: GetRequest, signal: AbortSignal) {
    const { edgeObserver } = this.#options;
    edgeObserver.loadStarted();
    let outcome: 'kept' | 'passed-on' | 'failed' = 'failed';
    try {
      const { answer, kept } = await this.#loadAndKeep(part, key, request, signal);
      outcome = kept ? 'kept' : 'passed-on';
      return answer;
    } finally {
      edgeObserver.loadEnded(outcome);
    }
  }

  async #loadAndKeep(part: Part | undefined, key: RecordKey | undefined, request: GetRequest, signal: AbortSignal) {
    if (part === undefined || key === undefined) return { answer: await this.#ask(request, signal), kept: false };
    const name = mapKey(key.namespace, key.key);
    const flight = part.flights.begin(name);
    try {
      for (let attempt = 1; ; attempt++) {
        const begun = beginning(part);
        const answer = await this.#ask(request, signal);
        const stamp = answer.record?.stamp ?? bottomStamp;
        if (flight.latest !== undefined && stamp < flight.latest && !covers(answer.covered, part.shown())) {
          if (attempt < triesMax) continue;
          const { bound: _bound, ...rest } = answer;
          return { answer: { ...rest, past: true }, kept: false };
        }
        const keep =
          part.hasCaughtUp &&
          answer.namespace === key.namespace &&
          part.generation() === begun.generation &&
          covers(answer.covered, begun.known) &&
          (flight.latest === undefined || stamp >= flight.latest);
        if (!keep) return { answer, kept: false };
        // The answer is true whether or not there is room to keep it.
        const installed = part.install(answer.record ?? absence(key.namespace, key.key)).then(
          () => true,
          () => false,
        );
        return { answer, kept: await installed };
      }
    } finally {
      part.flights.end(name, flight);
    }
  }

  /** The answer's age counts from when it was asked for. */
  async #ask(request: GetRequest, signal: AbortSignal): Promise<GetAnswer> {
    const { clock, upstreams, loadTimeoutMs } = this.#options;
    const sentMs = clock.monotonicMs();
    const call = { deadlineMs: sentMs + loadTimeoutMs, signal };
    const answer = await upstreams.ask(call, (upstream, asked) => upstream.get(request, asked));
    if (answer.bound === undefined) return answer;
    const { boundMs, root } = answer.bound;
    return { ...answer, bound: { boundMs: boundMs + clock.monotonicMs() - sentMs, root } };
  }

  /** The waiter's own deadline and signal; the load goes on for the others. */
  #waitFor(result: Promise<GetAnswer>, { deadlineMs, signal }: Call): Promise<GetAnswer> {
    const { clock } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = clock.timer(deadlineMs - clock.monotonicMs(), () => {
        settle();
        reject(new MeridianError('DEADLINE_EXCEEDED', 'the deadline passed while loading', { reason: 'deadline' }));
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
      result.then(
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

function flightName({ namespace, key, session, maxStalenessMs, atOrigin }: GetRequest): string {
  return JSON.stringify([namespace, key, formatVector(session.vector), session.stamp, maxStalenessMs, atOrigin]);
}
