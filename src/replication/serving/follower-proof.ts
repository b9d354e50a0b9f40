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
 * It is larger than what the follower proves of itself, which does not have to wait for its own next probe. Unknown when
 * the wall clock has outrun the monotonic one since: a machine that slept has a monotonic clock that stood still meanwhile.
 */
export class FollowerProof {
  readonly #clock: Clock;
  readonly #suspendedMsMax: number;
  /** When all of what each echo stands behind was the root's present; undefined = unknown. */
  readonly #underWay = new Map<number, Moment | undefined>();
  #proven: Moment | undefined;

  /** `suspendedMsMax`: milliseconds by which the wall clock may outrun the monotonic one before the bound is unknown. */
  constructor(clock: Clock, suspendedMsMax: number) {
    this.#clock = clock;
    this.#suspendedMsMax = suspendedMsMax;
  }

  /** To be asked when a probe comes. */
  now(): Moment {
    return momentOf(this.#clock);
  }

  /** The echo of a probe that came then, when the server's own bound was this many milliseconds; undefined = unknown. */
  echoed(id: number, { atMs, drift }: Moment, boundMs: number | undefined): void {
    const proven = boundMs === undefined ? undefined : { atMs: atMs - boundMs, drift };
    rememberLatest(this.#underWay, id, proven, echoesMax);
  }

  /** The follower says so. One that was not sent on this stream proves nothing. */
  applied(id: number): void {
    if (!this.#underWay.has(id)) return;
    this.#proven = this.#underWay.get(id);
    for (const earlier of this.#underWay.keys()) if (earlier < id) this.#underWay.delete(earlier);
  }

  /** What it holds is void: nothing is proven before an echo that is sent from now on is applied. */
  reset(): void {
    this.#underWay.clear();
    this.#proven = undefined;
  }

  /** Milliseconds; unset = unknown. */
  boundMs(): number | undefined {
    return this.#proven && sinceMs(this.#proven, this.#clock, this.#suspendedMsMax);
  }
}
