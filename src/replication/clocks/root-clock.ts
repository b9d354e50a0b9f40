import { holds } from '../../model/rules.ts';
import type { Clock, ExpiryClock } from '../../runtime/clock.ts';
import { type Moment, momentOf, sinceMs } from '../../runtime/moment.ts';

/** How a node's own wall clock stands to the one that it judges expiry by. */
export interface ClockOffset {
  /** Milliseconds: the own clock less the other one. */
  readonly offsetMs: number;
  /** Milliseconds within which that is known: the round trip of the last echo. */
  readonly withinMs: number;
}

/**
 * The wall clock of the origin, as an edge reckons it. An expiry is a second of the origin's clock, so that is what it is
 * judged by, whatever the edge's own clock says:
 *
 *     edge                               origin
 *     monotonic 5,000   probe 7 ───▶
 *                                        wall clock 12:00:00.000
 *     monotonic 5,080   ◀─── echo(7, 12:00:00.000)
 *
 * At 5,080 the origin's clock shows 12:00:00.000 at least and 12:00:00.080 at the most. The reckoning begins with the least:
 * a value that is served for a round trip too long is stale, and one that is gone too early would be missed. It goes on
 * by the monotonic clock, which nobody steps, and moves only where an echo disproves it: the origin's clock was stepped
 * then, or another upstream is followed, whose clock differs. A relay hands its own reckoning on, so that behind a chain of
 * them the round trips add up, and how old it may be: a relay that is cut off, or waits for its echoes, has yet to hear that
 * the clock was stepped back. A reckoning is as old as the question that brought it, as nobody knows when within the round
 * trip the clock was read; so none is older than the bound that came with it. A machine that slept has a monotonic clock
 * that stood still meanwhile: what it reckons is behind by as long, and is told to nobody until the root is heard of again.
 */
export class RootClock implements ExpiryClock {
  readonly #clock: Clock;
  /** The root's clock less the monotonic one. */
  #drift: { readonly ms: number; readonly withinMs: number } | undefined;
  #asOfMs: number | undefined;
  #heard: Moment | undefined;
  /** The own wall clock less the root's, as an earlier run knew it. */
  readonly #rememberedOffsetMs: number;
  readonly #suspendedMsMax: number;

  /**
   * `rememberedOffsetMs` is gone by until the root is heard of: most clocks that are wrong stay so over a restart.
   * `suspendedMsMax`: milliseconds by which the wall clock may outrun the monotonic one before nobody knows how old the
   * reckoning is. Default: any.
   */
  constructor(clock: Clock, rememberedOffsetMs = 0, suspendedMsMax = Number.POSITIVE_INFINITY) {
    this.#clock = clock;
    this.#rememberedOffsetMs = rememberedOffsetMs;
    this.#suspendedMsMax = suspendedMsMax;
  }

  /**
   * What a server says of the root's clock, as it was within the round trip that ends now. What may be older than what this
   * node knows counts for nothing.
   * @param ageMs milliseconds since the server itself asked for it
   */
  heard(rootWallMs: number, roundTripMs: number, ageMs = 0): void {
    const nowMs = this.#clock.monotonicMs();
    const least = rootWallMs - nowMs;
    const asOfMs = nowMs - (holds('R9 a clock is as old as its question') ? roundTripMs + ageMs : 0);
    if (this.#asOfMs !== undefined && asOfMs < this.#asOfMs) return;
    this.#asOfMs = asOfMs;
    this.#heard = momentOf(this.#clock);
    const ms = this.#drift?.ms ?? least;
    const isDisproven = ms < least || ms > least + roundTripMs;
    this.#drift = { ms: isDisproven ? least : ms, withinMs: roundTripMs };
  }

  /** The root's clock was read then or later, by the monotonic clock; undefined = never. */
  get asOfMs(): number | undefined {
    return this.#asOfMs;
  }

  /** Milliseconds since it was read, at the most; infinite = it never was, or this machine has slept since. */
  get ageMs(): number {
    const isKnown = this.#heard !== undefined && sinceMs(this.#heard, this.#clock, this.#suspendedMsMax) !== undefined;
    if (this.#asOfMs === undefined || !isKnown) return Number.POSITIVE_INFINITY;
    return this.#clock.monotonicMs() - this.#asOfMs;
  }

  get isHeard(): boolean {
    return this.#drift !== undefined;
  }

  nowMs(): number {
    if (!holds('R9 expiry by the root')) return this.#clock.wallMs();
    if (this.#drift === undefined) return this.#clock.wallMs() - this.#rememberedOffsetMs;
    return this.#clock.monotonicMs() + this.#drift.ms;
  }

  /** Unset while the root was not heard of. */
  offset(): ClockOffset | undefined {
    if (this.#drift === undefined) return undefined;
    const offsetMs = this.#clock.wallMs() - this.#clock.monotonicMs() - this.#drift.ms;
    return { offsetMs, withinMs: this.#drift.withinMs };
  }
}
