import type { Call } from '../model/call.ts';
import { isMeridianError, MeridianError, wasNeverBegun } from '../model/errors.ts';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../model/feed.ts';
import { inStep } from '../model/trace.ts';
import type { Upstream } from '../model/upstream.ts';
import type { Clock } from '../runtime/clock.ts';
import { withEither } from '../runtime/with-either.ts';
import { Cooldowns, type CooldownTimes } from './cooldowns.ts';

export interface NamedUpstream {
  /** For status and logs: its address. */
  readonly name: string;
  readonly upstream: Upstream;
  /** It is another process of this very edge. */
  readonly isOwnProcess?: true;
}

export interface UpstreamTimes extends CooldownTimes {
  /**
   * Milliseconds of silence after which an upstream counts as failed. A caller with less time still asks the next one;
   * its haste says nothing to others.
   */
  readonly silenceMsMin: number;
}

/** The share of the remaining time that one upstream may take while another could still be asked. */
const shareOfOne = 0.5;

/** Edges that may pass one call up, at the most: a chain of relays is shorter, a ring of them is not. */
const hopsMax = 8;

/**
 * The ordered list of upstreams. One that failed is passed over for a while, which grows with each failure in a row, so
 * that fail-back to an upstream that flaps comes ever later. When all have failed, the one whose rest ends first is
 * used.
 */
export class Upstreams {
  /** In the order of preference. */
  readonly list: readonly NamedUpstream[];
  readonly #cooldowns: Cooldowns;
  readonly #clock: Clock;
  readonly #silenceMsMin: number;
  /** Upstreams that answered when they were last asked. */
  readonly #answering = new Set<string>();
  /** Upstreams of another cluster, with the message that said so. */
  readonly #foreign = new Map<string, string>();
  readonly #foreignUntilMs = (name: string): number => {
    return this.#foreign.has(name) ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  };

  constructor(list: readonly NamedUpstream[], clock: Clock, times: UpstreamTimes) {
    this.list = list;
    this.#clock = clock;
    this.#silenceMsMin = times.silenceMsMin;
    this.#cooldowns = new Cooldowns(clock, times);
  }

  /**
   * The upstream to use now. `coolsUntilMs` adds reasons of one purpose to pass an upstream over; by default those of
   * another cluster are passed over. (The feed does not: its handshake is what finds out.)
   */
  current(coolsUntilMs: (name: string) => number = this.#foreignUntilMs): NamedUpstream {
    const chosen = this.#best(this.list, coolsUntilMs);
    if (chosen === undefined) throw new Error('an edge has at least one upstream');
    return chosen;
  }

  /** All upstreams of this cluster: the current one first, those that rest last. */
  preferred(): readonly NamedUpstream[] {
    const current = this.current();
    const order = (named: NamedUpstream) => (named === current ? 0 : this.isCoolingDown(named) ? 2 : 1);
    return this.list.filter(({ name }) => !this.#foreign.has(name)).toSorted((a, b) => order(a) - order(b));
  }

  /** False while each rests after a failure. After its rest one is tried again: else nobody would notice its return. */
  get reachable(): boolean {
    return this.list.some((named) => !this.#cooldowns.hasFailed(named.name) || !this.isCoolingDown(named));
  }

  isCoolingDown({ name }: NamedUpstream): boolean {
    return this.#cooldowns.untilMs(name) > this.#clock.monotonicMs();
  }

  /** True while one of them answered when last asked; one that was never reached does not count. */
  get answers(): boolean {
    return this.#answering.size > 0;
  }

  /** The upstream is there, whatever becomes of the request. */
  answered({ name }: NamedUpstream): void {
    this.#answering.add(name);
  }

  succeeded(named: NamedUpstream): void {
    this.answered(named);
    this.#cooldowns.succeeded(named.name);
  }

  failed({ name }: NamedUpstream): void {
    this.#answering.delete(name);
    this.#cooldowns.failed(name);
  }

  /** It belongs to another cluster: nothing is read or written there until it is known to be of this one. */
  foreign(named: NamedUpstream, why: string): void {
    this.#foreign.set(named.name, why);
    this.failed(named);
  }

  /** A handshake found it to be of this cluster. */
  joined({ name }: NamedUpstream): void {
    this.#foreign.delete(name);
  }

  /**
   * Runs a call once, at the current upstream: a call that failed may have happened. The next upstream is asked only if
   * the call certainly never left.
   */
  async call<T>(call: Call, run: (upstream: Upstream, call: Call) => Promise<T>): Promise<T> {
    const passed = passedOn(call);
    let others = this.list;
    for (let named = this.current(); ; ) {
      others = others.filter((other) => other !== named);
      try {
        return await this.#callAt(named, passed, run);
      } catch (error) {
        const next = this.#best(others, () => Number.NEGATIVE_INFINITY);
        if (!wasNeverBegun(error) || next === undefined || call.signal.aborted) throw error;
        named = next;
      }
    }
  }

  /**
   * Runs what may be run twice. If the current upstream is down, or says nothing for its share of the time, the next
   * one is asked; so is one that is there if the first has lost the record (DATA_LOSS). Each is asked once at the most.
   * `patienceMs` is how long the caller will wait, if that is less than the call may take. Without a credential of its
   * caller the call goes by the edge's own.
   */
  async ask<T>(call: Call, ask: (upstream: Upstream, call: Call) => Promise<T>, patienceMs?: number): Promise<T> {
    const passed = passedOn(call);
    const run = (upstream: Upstream, asked: Call) => {
      const isOfEdge = call.credential === undefined && !call.isProvenHere;
      return isOfEdge ? ask(upstream, asked).catch(throwAsOfEdge) : ask(upstream, asked);
    };
    const untilMs = Math.min(call.deadlineMs, this.#clock.monotonicMs() + (patienceMs ?? Number.POSITIVE_INFINITY));
    let others = this.list;
    let lost: MeridianError | undefined;
    for (let named = this.current(); ; ) {
      others = others.filter((other) => other !== named);
      try {
        if (others.length === 0) return await this.#callAt(named, passed, run);
        const shareMs = (untilMs - this.#clock.monotonicMs()) * shareOfOne;
        return await this.#callAt(named, passed, (upstream, asked) => {
          return this.#within(shareMs, call.signal, (signal) => run(upstream, { ...asked, signal }));
        });
      } catch (error) {
        const isLost = isMeridianError(error, 'DATA_LOSS');
        if (isLost) lost ??= error;
        const next = this.#best(others, this.#foreignUntilMs);
        const goesOn = isLost ? next !== undefined && !this.isCoolingDown(next) : speaksOfUpstream(error);
        if (!goesOn || next === undefined || call.signal.aborted) throw lost ?? error;
        named = next;
      }
    }
  }

  /** A client's watch, at the current upstream. @throws UNAVAILABLE (`too-many-hops`) */
  async *watch(
    open: FollowOpen,
    clusterId: string | undefined,
    messages: AsyncIterable<FollowerMessage>,
    signal: AbortSignal,
  ): AsyncGenerator<FeedEvent> {
    const passed = passedOn(clusterId === undefined ? open : { ...open, clusterId });
    try {
      yield* this.current().upstream.follow(passed, messages, signal);
    } catch (error) {
      throwAsOfEdge(error);
    }
  }

  #best(list: readonly NamedUpstream[], coolsUntilMs: (name: string) => number): NamedUpstream | undefined {
    const nowMs = this.#clock.monotonicMs();
    const resting = list.map((named) => {
      return { named, untilMs: Math.max(this.#cooldowns.untilMs(named.name), coolsUntilMs(named.name)) };
    });
    const ready = resting.find(({ untilMs }) => untilMs <= nowMs);
    return (ready ?? resting.toSorted((a, b) => a.untilMs - b.untilMs)[0])?.named;
  }

  /** An upstream that takes calls and never answers counts as down, while there is time for another. */
  #within<T>(shareMs: number, signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const silence = new AbortController();
    return new Promise<T>((resolve, reject) => {
      const timer = this.#clock.timer(shareMs, () => {
        const message = `an upstream of this edge said nothing for ${Math.round(shareMs)} ms`;
        const error = new MeridianError('UNAVAILABLE', message, { reason: 'upstream-silent', seen: shareMs });
        reject(error);
        silence.abort(error);
      });
      withEither([signal, silence.signal], run)
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });
  }

  #isHaste(error: unknown): boolean {
    if (!isMeridianError(error) || error.details.reason !== 'upstream-silent') return false;
    return (error.details.seen ?? 0) < this.#silenceMsMin;
  }

  async #callAt<T>(named: NamedUpstream, call: Call, run: (upstream: Upstream, call: Call) => Promise<T>): Promise<T> {
    try {
      const foreign = this.#foreign.get(named.name);
      if (foreign !== undefined) {
        const message = `an upstream of this edge is of another cluster: ${foreign}`;
        throw new MeridianError('UNAVAILABLE', message, { reason: 'other-cluster' });
      }
      const step = ['upstream', { kind: 'client', fields: { 'server.address': named.name } }] as const;
      const result = await inStep(call, step, (asked) => run(named.upstream, asked));
      this.succeeded(named);
      return result;
    } catch (error) {
      if (speaksOfUpstream(error) && !this.#isHaste(error)) this.failed(named);
      throw error;
    }
  }
}

/** The upstream refuses this edge, not its caller, who was let in here: to the caller no upstream is reached. */
function throwAsOfEdge(error: unknown): never {
  if (!isMeridianError(error, 'UNAUTHENTICATED') && !isMeridianError(error, 'PERMISSION_DENIED')) throw error;
  const message = `the upstream refuses this edge: ${error.message}`;
  throw new MeridianError('UNAVAILABLE', message, { reason: 'upstream-refuses', cause: error });
}

function passedOn<C extends Pick<Call, 'hops'>>(call: C): C {
  const { hops = 0 } = call;
  if (hops < hopsMax) return { ...call, hops: hops + 1 };
  throw new MeridianError('UNAVAILABLE', `the call was passed up by ${hops} edges; are they each other's upstreams?`, {
    reason: 'too-many-hops',
    limit: hopsMax,
    seen: hops,
  });
}

/** Reasons of UNAVAILABLE that the call brought with it. */
const ofTheCall = new Set(['session-not-covered', 'too-many-hops']);

/** Only errors about the upstream itself count against it; a refusal of one request does not. */
function speaksOfUpstream(error: unknown): boolean {
  return isMeridianError(error, 'UNAVAILABLE') && !ofTheCall.has(error.details.reason);
}
