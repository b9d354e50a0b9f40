import { holds } from '../../model/rules.ts';
import type { Clock, ExpiryClock } from '../../runtime/clock.ts';
import { type Moment, momentOf, sinceMs } from '../../runtime/moment.ts';

/** How far a node's own wall clock is from the clock that it judges expiry by. */
export interface ClockOffset {
  /** Milliseconds: the own clock minus the other clock. */
  readonly offsetMs: number;
  /** Milliseconds by which the offset may be wrong: the round trip of the last echo. */
  readonly withinMs: number;
}

/**
 * The wall clock of the origin, as an edge reckons it. An expiry is a second of the origin's clock, so the edge judges
 * expiry by that clock and not by its own:
 *
 *     edge                               origin
 *     monotonic 5,000   probe 7 ───▶
 *                                        wall clock 12:00:00.000
 *     monotonic 5,080   ◀─── echo(7, 12:00:00.000)
 *
 * At 5,080 the origin's clock shows 12:00:00.000 at least and 12:00:00.080 at the most. The reckoning begins with the
 * least: a value that is served for a round trip too long is stale, and a value that is gone too early would be missed.
 * It goes on by the monotonic clock, which nobody steps. It moves only where an echo disproves it: then the origin's
 * clock was stepped, or another upstream is followed, whose clock differs. A relay hands its own reckoning on. So
 * behind a chain of relays the round trips add up, and so do the ages: a relay that is cut off, or waits for its
 * echoes, has not heard yet that the clock was stepped back. A reckoning is as old as the probe that brought it, since
 * nobody knows when within the round trip the clock was read; so no reckoning is older than the bound that came with
 * it. On a machine that slept the monotonic clock stood still: its reckoning is behind by as long, and it is told to
 * nobody until the root is heard again.
 */
export class RootClock implements ExpiryClock {
  readonly #clock: Clock;
  /** The root's clock minus the monotonic clock. */
  #drift: { readonly ms: number; readonly withinMs: number } | undefined;
  #asOfMs: number | undefined;
  #heard: Moment | undefined;
  /** The own wall clock minus the root's, as an earlier run knew it. */
  readonly #rememberedOffsetMs: number;
  readonly #suspendedMsMax: number;

  /**
   * `rememberedOffsetMs` is used until the root is heard: most clocks that are wrong stay wrong over a restart.
   * `suspendedMsMax`: milliseconds by which the wall clock may outrun the monotonic one before the age of the reckoning
   * is unknown. Default: any.
   */
  constructor(clock: Clock, rememberedOffsetMs = 0, suspendedMsMax = Number.POSITIVE_INFINITY) {
    this.#clock = clock;
    this.#rememberedOffsetMs = rememberedOffsetMs;
    this.#suspendedMsMax = suspendedMsMax;
  }

  /**
   * Takes what a server says of the root's clock, as it was within the round trip that ends now. A statement that may
   * be older than what this node knows is ignored.
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

  /** The root's clock was read at this monotonic time or later; undefined = never. */
  get asOfMs(): number | undefined {
    return this.#asOfMs;
  }

  /** Milliseconds since the root's clock was read, at the most; infinite = never read, or this machine slept since. */
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

  /** Unset until the root is heard. */
  offset(): ClockOffset | undefined {
    if (this.#drift === undefined) return undefined;
    const offsetMs = this.#clock.wallMs() - this.#clock.monotonicMs() - this.#drift.ms;
    return { offsetMs, withinMs: this.#drift.withinMs };
  }
}
