import type { ClockStatus } from '../model/cluster.ts';
import { RootClock } from '../replication/clocks/root-clock.ts';
import { SettledTime, type SettledTimeOptions } from '../replication/clocks/settled-time.ts';
import type { HeardClock } from '../replication/following/follow-loop.ts';

export interface EdgeClocksOptions extends Omit<SettledTimeOptions, 'judgedMs'> {
  /** Milliseconds: the own clock minus the root's, as an earlier run knew it; unset = it never did. */
  readonly rememberedOffsetMs: number | undefined;
  /** Keeps the offset for the next run. */
  readonly remember: (offsetMs: number) => void;
}

/** What an edge knows of clocks: its root's, by which values expire, and the time by which they may be dropped. */
export class EdgeClocks {
  readonly root: RootClock;
  readonly settled: SettledTime;
  readonly #options: EdgeClocksOptions;
  #remembered: number;

  constructor(options: EdgeClocksOptions) {
    const { clock, rememberedOffsetMs = 0 } = options;
    this.#options = options;
    this.#remembered = rememberedOffsetMs;
    this.root = new RootClock(clock, rememberedOffsetMs, options.clockSkewMsMax);
    this.settled = new SettledTime({
      ...options,
      judgedMs: () => (this.root.isHeard ? this.root.nowMs() : undefined),
      seenMs: () => this.root.asOfMs,
    });
  }

  heard({ rootWallMs, rootAgeMs, roundTripMs }: HeardClock): void {
    if (rootWallMs === undefined) return; // A relay that has not heard of it yet.
    const { clock, clockSkewMsMax, remember } = this.#options;
    this.root.heard(rootWallMs, roundTripMs, rootAgeMs);
    this.settled.look(); // Looks at every report, not only when somebody asks.
    const offsetMs = this.root.offset()?.offsetMs ?? 0;
    if (Math.abs(offsetMs - this.#remembered) > clockSkewMsMax) {
      this.#remembered = offsetMs;
      remember(offsetMs);
    }
    // The clock here is a second opinion: nothing is dropped for good before it, and at once if both agree.
    this.settled.heard('this node', clock.wallMs(), 0);
  }

  status(): ClockStatus {
    const offsetMs = this.root.offset()?.offsetMs;
    return { ...this.settled.status(), ...(offsetMs === undefined ? {} : { offsetMs }) };
  }
}
