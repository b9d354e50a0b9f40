import type { Echo } from '../../model/feed.ts';
import type { LogId } from '../../model/position.ts';
import type { Bound } from '../../model/staleness.ts';
import type { Clock } from '../../runtime/clock.ts';
import { rememberLatest } from '../../runtime/remember-latest.ts';

/** A probe: when it was sent, and how far the wall clock was from the monotonic one then. */
interface Sent {
  readonly atMs: number;
  readonly drift: number;
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
  readonly #sent = new Map<number, Sent>();
  #nextId = 1;
  #proven: { readonly asOfMs: number; readonly root: LogId; readonly drift: number } | undefined;

  /** `suspendedMsMax`: milliseconds by which the wall clock may outrun the monotonic one before the bound is unknown. */
  constructor(clock: Clock, suspendedMsMax: number) {
    this.#clock = clock;
    this.#suspendedMsMax = suspendedMsMax;
  }

  /** The id of a probe that is sent now. At most 64 are remembered. */
  probe(): number {
    const id = this.#nextId++;
    const atMs = this.#clock.monotonicMs();
    rememberLatest(this.#sent, id, { atMs, drift: this.#drift(atMs) }, 64);
    return id;
  }

  /** Milliseconds since the probe of this echo was sent; undefined for an unknown probe. */
  roundTripMs({ id }: Pick<Echo, 'id'>): number | undefined {
    const sent = this.#sent.get(id);
    return sent === undefined ? undefined : this.#clock.monotonicMs() - sent.atMs;
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
    const asOfMs = sent.atMs - bound.boundMs;
    // Another server may know less: its echo must not take back what was proven against the same root.
    if (this.bound()?.root !== bound.root || asOfMs > (this.#proven?.asOfMs ?? Number.NEGATIVE_INFINITY)) {
      this.#proven = { asOfMs, root: bound.root, drift: sent.drift };
    }
  }

  /** The stream is over: its probes will not come back. What was proven goes on ageing. */
  disconnected(): void {
    this.#sent.clear();
  }

  /** Nothing is proven any more: a resync, or another root. */
  reset(): void {
    this.#proven = undefined;
  }

  /** Unset = unknown. */
  bound(): Bound | undefined {
    if (this.#proven === undefined) return undefined;
    const nowMs = this.#clock.monotonicMs(); // Looked at once: every hit asks.
    if (this.#drift(nowMs) - this.#proven.drift > this.#suspendedMsMax) return undefined;
    return { boundMs: nowMs - this.#proven.asOfMs, root: this.#proven.root };
  }

  #drift(nowMs: number): number {
    return this.#clock.wallMs() - nowMs;
  }
}
