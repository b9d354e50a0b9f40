import type { Clock } from '../../runtime/clock.ts';
import { type Moment, momentOf, sinceMs } from '../../runtime/moment.ts';
import { rememberLatest } from '../../runtime/remember-latest.ts';

/** Echoes under way to one follower that are remembered. */
const echoesMax = 64;

/**
 * How old what a follower holds may be, as the server can prove it by its own clock alone:
 *
 *     server                      follower
 *     t=0    probe 7 came; the server's own bound was 20 ms
 *            ◀─── …, echo 7
 *                                 applied
 *     t=80   probe 8 came: echo 7 is applied. All that the root had 20 ms before t=0 is there: the bound is 100 ms,
 *            and grows until the next probe comes.
 *
 * This bound is larger than the one that the follower proves itself, which needs no further probe. Unknown when the
 * wall clock has outrun the monotonic one since: a machine that slept has a monotonic clock that stood still meanwhile.
 */
export class FollowerProof {
  readonly #clock: Clock;
  readonly #suspendedMsMax: number;
  /** For each echo, the moment as of which all that the root had comes before it; undefined = unknown. */
  readonly #underWay = new Map<number, Moment | undefined>();
  #proven: Moment | undefined;

  /** `suspendedMsMax`: milliseconds by which the wall clock may outrun the monotonic one before the bound is unknown. */
  constructor(clock: Clock, suspendedMsMax: number) {
    this.#clock = clock;
    this.#suspendedMsMax = suspendedMsMax;
  }

  /** Call this when a probe comes. */
  now(): Moment {
    return momentOf(this.#clock);
  }

  /** Notes the echo of a probe that came then, with the server's own bound at that time; undefined = unknown. */
  echoed(id: number, { atMs, drift }: Moment, boundMs: number | undefined): void {
    const proven = boundMs === undefined ? undefined : { atMs: atMs - boundMs, drift };
    rememberLatest(this.#underWay, id, proven, echoesMax);
  }

  /** The follower has applied this echo. An echo that was not sent on this stream proves nothing. */
  applied(id: number): void {
    if (!this.#underWay.has(id)) return;
    this.#proven = this.#underWay.get(id);
    for (const earlier of this.#underWay.keys()) if (earlier < id) this.#underWay.delete(earlier);
  }

  /** What the follower holds is void: nothing is proven until it applies an echo that is sent from now on. */
  reset(): void {
    this.#underWay.clear();
    this.#proven = undefined;
  }

  /** Milliseconds; unset = unknown. */
  boundMs(): number | undefined {
    return this.#proven && sinceMs(this.#proven, this.#clock, this.#suspendedMsMax);
  }
}
