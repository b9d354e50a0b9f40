import type { Echo } from '../../model/feed.ts';
import type { LogId } from '../../model/position.ts';
import type { Bound } from '../../model/staleness.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Moment, momentOf, sinceMs } from '../../runtime/moment.ts';
import { rememberLatest } from '../../runtime/remember-latest.ts';

/** A moment as of which all that the root had is here. */
export interface Proven extends Moment {
  readonly root: LogId;
}

/**
 * Proves how old a scope may be, by one clock only (architecture §3).
 *
 *     follower            server
 *     t=0   probe 7 ───▶
 *                         had committed writes up to w5; its own bound is 20 ms
 *           ◀─── w4, w5, echo(7, 20 ms)
 *     t=80  applied w5, then the echo: all that the server had at t=0 is here, and it had all that the root had
 *           20 ms before that. So at t=80 the bound is 100 ms, at t=95 it is 115 ms.
 *
 * Unknown before the first echo, and when the wall clock has outrun the monotonic one since the probe: a machine that
 * slept has a monotonic clock that stood still meanwhile. What was proven against another root goes on ageing until the
 * first echo of a new one.
 */
export class StalenessTracker {
  readonly #clock: Clock;
  readonly #suspendedMsMax: number;
  /** When each probe was sent. */
  readonly #sent = new Map<number, Moment>();
  #nextId = 1;
  #proven: Proven | undefined;

  /** `suspendedMsMax`: milliseconds by which the wall clock may outrun the monotonic one before the bound is unknown. */
  constructor(clock: Clock, suspendedMsMax: number) {
    this.#clock = clock;
    this.#suspendedMsMax = suspendedMsMax;
  }

  /** The id of a probe that is sent now. At most 64 are remembered. */
  probe(): number {
    const id = this.#nextId++;
    rememberLatest(this.#sent, id, momentOf(this.#clock), 64);
    return id;
  }

  /** Milliseconds since the probe of this echo was sent; undefined for an unknown probe, and where this machine slept since. */
  roundTripMs({ id }: Pick<Echo, 'id'>): number | undefined {
    const sent = this.#sent.get(id);
    return sent && sinceMs(sent, this.#clock, this.#suspendedMsMax);
  }

  /** An echo whose predecessors are all applied. */
  echoed({ id, bound }: Pick<Echo, 'id' | 'bound'>): void {
    const sent = this.#sent.get(id);
    if (sent === undefined) return;
    for (const earlier of this.#sent.keys()) if (earlier <= id) this.#sent.delete(earlier);
    if (bound === undefined) {
      this.reset();
      return;
    }
    const atMs = sent.atMs - bound.boundMs;
    // Another server may know less: its echo must not take back what was proven against the same root.
    if (this.bound()?.root !== bound.root || atMs > (this.#proven?.atMs ?? Number.NEGATIVE_INFINITY)) {
      this.#proven = { atMs, root: bound.root, drift: sent.drift };
    }
  }

  /** The stream is over: its probes will not come back. The proven age goes on growing. */
  disconnected(): void {
    this.#sent.clear();
  }

  /** Nothing is proven any more: a resync, or another root. */
  reset(): void {
    this.#proven = undefined;
  }

  /** Unset = unknown. */
  bound(): Bound | undefined {
    return this.#proven && this.boundOf(this.#proven);
  }

  /** What the bound counts from; unset = unknown. */
  proven(): Proven | undefined {
    return this.bound() === undefined ? undefined : this.#proven;
  }

  /** The bound now, by that proof alone. Unset = unknown. */
  boundOf(proven: Proven): Bound | undefined {
    const boundMs = sinceMs(proven, this.#clock, this.#suspendedMsMax);
    return boundMs === undefined ? undefined : { boundMs, root: proven.root };
  }
}
