import type { ClockStatus } from '../../model/cluster.ts';
import type { Record } from '../../model/record.ts';
import { holds } from '../../model/rules.ts';
import type { Clock } from '../../runtime/clock.ts';

export interface SettledTimeOptions {
  readonly clock: Clock;
  /** The time by which this node judges expiry; unset = not heard yet. */
  readonly judgedMs: () => number | undefined;
  /**
   * When the clock behind `judgedMs` was last seen, by the monotonic clock. Time in which it is not seen does not count
   * as holding, and a long gap forgets what the clock showed before it. Default: it is always seen.
   */
  readonly seenMs?: () => number | undefined;
  /** Milliseconds for which a clock that jumped ahead must hold before values are dropped by it. */
  readonly clockHoldMs: number;
  /**
   * Milliseconds for which an opinion counts, at the least. A node refused for its clock is asked every second or so.
   */
  readonly clockSkewMsMax: number;
}

/** Milliseconds for which that counts, at the least: one that is refused for its clock is asked again every second or so. */
const opinionMs = 60_000;

/** What another node's clock said. */
interface Opinion {
  readonly agrees: boolean;
  /** That node's clock minus the monotonic clock here, at the most. */
  readonly driftMs: number;
  readonly atMs: number;
}

/**
 * The time by which values are dropped for good. A value that reads as absent by a wrong clock reads as before once the
 * clock is set right; a value that was dropped is gone. So this time follows the clock back at once, and ahead only
 * once the clock has stayed there:
 *
 *     clock less monotonic clock     0 s   0 s   3600 s   3600 s … five minutes …   3600 s
 *     dropped by                     0 s   0 s      0 s      0 s                    3600 s
 *
 * It is the least that the clock showed, against the monotonic one, for five minutes or more. After a start nothing is
 * known of what the clock showed before. Another node whose own clock agrees settles the time at once. While other
 * nodes were heard of whose clocks show an earlier time, and none that agrees, values are dropped by the earliest of
 * these clocks. Such clocks can delay a drop and never cause one.
 */
export class SettledTime {
  readonly #options: SettledTimeOptions;
  readonly #opinions = new Map<string, Opinion>();
  /** The judged time minus the monotonic one, as far as it has settled. */
  #settledMs: number | undefined;
  /** Since `sinceMs` the clock has been further ahead than the settled time, and never by less than `driftMs`. */
  #ahead: { driftMs: number; readonly sinceMs: number } | undefined;
  /** When the clock had last been seen, at the last look. */
  #seenAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: SettledTimeOptions) {
    this.#options = options;
  }

  /** Looks at the clock. Milliseconds since 1970 by which values may be dropped; undefined = none may be yet. */
  look(): number | undefined {
    const { clock, judgedMs, clockHoldMs, seenMs } = this.#options;
    const judged = judgedMs();
    if (judged === undefined || !holds('R9 what is dropped waits')) return judged;
    const nowMs = clock.monotonicMs();
    const driftMs = judged - nowMs;
    const seenAtMs = seenMs === undefined ? nowMs : (seenMs() ?? Number.NEGATIVE_INFINITY);
    // In the gap the clock may have been right, and have jumped again.
    if (seenMs !== undefined && seenAtMs - this.#seenAtMs > clockHoldMs / 2) this.#ahead = undefined;
    this.#seenAtMs = seenAtMs;
    if (this.#settledMs !== undefined && driftMs <= this.#settledMs) {
      this.#settledMs = driftMs;
      this.#ahead = undefined;
    } else {
      this.#ahead ??= { driftMs, sinceMs: nowMs };
      this.#ahead.driftMs = Math.min(this.#ahead.driftMs, driftMs);
      if (seenAtMs - this.#ahead.sinceMs >= clockHoldMs) {
        this.#settledMs = this.#ahead.driftMs;
        this.#ahead = { driftMs, sinceMs: nowMs };
      }
    }
    if (this.#settledMs === undefined) return undefined;
    return nowMs + Math.min(this.#settledMs, ...this.#earlier(nowMs));
  }

  status(): ClockStatus {
    const { judgedMs, clockSkewMsMax: skewMaxMs } = this.#options;
    const settled = this.look();
    const judged = judgedMs();
    if (settled === undefined || judged === undefined) return { skewMaxMs };
    return { skewMaxMs, aheadMs: Math.max(0, judged - settled) };
  }

  /** A node of that name read its own wall clock within the round trip that ends now. */
  heard(name: string, wallMs: number, roundTripMs: number): void {
    const { clock, judgedMs, clockSkewMsMax } = this.#options;
    const judged = judgedMs();
    if (judged === undefined) return;
    const atMs = clock.monotonicMs();
    const aheadMs = wallMs - judged;
    const agrees = Math.max(Math.abs(aheadMs), Math.abs(aheadMs + roundTripMs)) <= clockSkewMsMax;
    this.#opinions.set(name, { agrees, driftMs: wallMs + roundTripMs - atMs, atMs });
    if (!agrees) return;
    this.#settledMs = judged - atMs;
    this.#ahead = undefined;
  }

  /** The clocks of other nodes that were heard of lately; none where one of those nodes agrees. */
  #earlier(nowMs: number): readonly number[] {
    for (const [name, { atMs }] of this.#opinions) {
      if (nowMs - atMs > Math.max(opinionMs, this.#options.clockHoldMs)) this.#opinions.delete(name);
    }
    const opinions = [...this.#opinions.values()];
    return opinions.some(({ agrees }) => agrees) ? [] : opinions.map(({ driftMs }) => driftMs);
  }
}

/** False for a record that another node expired by a clock that may be wrong: its value may live yet (rule R9). */
export function hasEnded(record: Record | undefined, settled: Pick<SettledTime, 'look'>): boolean {
  if (record?.kind !== 'tombstone' || record.expiresAt === undefined || !holds('R9 what is dropped waits')) return true;
  return record.expiresAt * 1000 <= (settled.look() ?? Number.NEGATIVE_INFINITY);
}
