import { holds } from '../../model/rules.ts';
import type { Clock, ExpiryClock } from '../../runtime/clock.ts';

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
 * them the round trips add up, and how long ago it heard of the origin's clock: a relay that is cut off has yet to hear
 * that it was stepped back.
 */
export class RootClock implements ExpiryClock {
  readonly #clock: Clock;
  /** The root's clock less the monotonic one. */
  #drift: { readonly ms: number; readonly withinMs: number } | undefined;
  #heardAtMs: number | undefined;
  /** The own wall clock less the root's, as an earlier run knew it. */
  readonly #rememberedOffsetMs: number;

  /** `rememberedOffsetMs` is gone by until the root is heard of: most clocks that are wrong stay so over a restart. */
  constructor(clock: Clock, rememberedOffsetMs = 0) {
    this.#clock = clock;
    this.#rememberedOffsetMs = rememberedOffsetMs;
  }

  /**
   * What a server says of the root's clock, as it was within the round trip that ends now. What it heard before this node did
   * counts for nothing.
   * @param ageMs milliseconds since the server heard of it itself
   */
  heard(rootWallMs: number, roundTripMs: number, ageMs = 0): void {
    const nowMs = this.#clock.monotonicMs();
    const least = rootWallMs - nowMs;
    const heardAtMs = nowMs - (holds('R9 a clock is as old as its relay says') ? ageMs : 0);
    if (this.#heardAtMs !== undefined && heardAtMs < this.#heardAtMs) return;
    this.#heardAtMs = heardAtMs;
    const ms = this.#drift?.ms ?? least;
    const isDisproven = ms < least || ms > least + roundTripMs;
    this.#drift = { ms: isDisproven ? least : ms, withinMs: roundTripMs };
  }

  /** When it was last heard, by the monotonic clock; undefined = never. */
  get heardAtMs(): number | undefined {
    return this.#heardAtMs;
  }

  /** Milliseconds since it was heard; infinite = never. */
  get ageMs(): number {
    return this.#heardAtMs === undefined ? Number.POSITIVE_INFINITY : this.#clock.monotonicMs() - this.#heardAtMs;
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
