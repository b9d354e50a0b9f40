import type { LogId } from '../model/position.ts';
import type { Head, Tombstone } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import { joinVectors, type VersionVector } from '../model/version-vector.ts';
import type { Clock } from '../runtime/clock.ts';
import { eachEnded, unchanged } from './ended-records.ts';
import type { Ledger } from './ledger.ts';
import type { ReplicationObserver } from './observer.ts';

export interface PurgeOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly observer: ReplicationObserver;
  /** Milliseconds for which a tombstone is kept, from the later of its stamp and its expiry. */
  readonly tombstoneRetentionMs: number;
  /** Called after a round that removed records or dropped values. */
  readonly changed?: () => void;
  /** Whether a tombstone may go as far as anything besides this store's vectors is concerned. */
  readonly mayPurge: (tombstone: Tombstone) => boolean;
}

/** Milliseconds between looks at tombstones that wait while nothing more is stable. */
const waitingLookMs = 60_000;

/** Purges tombstones whose retention is over and that every member covers. A purge raises the floor (rules R8, R19). */
export class Purge {
  readonly #options: PurgeOptions;
  #waiting = 0;
  /** The stable vector and the time of the last look at tombstones. */
  #looked: { readonly stable: VersionVector; readonly atMs: number } | undefined;

  constructor(options: PurgeOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting;
  }

  async round(nowMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#isDue()) return;
    const { ledger, clock, observer, tombstoneRetentionMs } = this.#options;
    const { stable } = ledger.state;
    const before = Math.floor((nowMs - tombstoneRetentionMs) / 1000);
    let waiting = 0;
    await eachEnded(ledger, 'tombstone', before, signal, async (heads) => {
      waiting += await this.#purge(heads);
    });
    this.#waiting = waiting;
    this.#looked = { stable, atMs: clock.monotonicMs() };
    observer.purgeWaits(waiting);
  }

  /** Tombstones may wait for long: they are looked at again once more is stable, or from time to time. */
  #isDue(): boolean {
    const { ledger, clock } = this.#options;
    if (this.#waiting === 0 || this.#looked?.stable !== ledger.state.stable) return true;
    return clock.monotonicMs() - this.#looked.atMs >= waitingLookMs;
  }

  /** Resolves with the number of tombstones that have to wait. */
  async #purge(heads: readonly Head[]): Promise<number> {
    const { ledger, observer, mayPurge, changed } = this.#options;
    const { logs } = ledger.registry;
    const { purged, waiting } = await ledger.submit({
      keys: heads,
      sync: false,
      bytes: heads.length * 128,
      decide: ({ state, head: headOf }) => {
        const due = heads.map((head) => unchanged(head, headOf(head))).filter((head) => head?.kind === 'tombstone');
        const stable = due.filter(
          ({ position }) =>
            !holds('R19 purge by proof') ||
            (logs.coversPosition(state.stable, position) && logs.coversPosition(state.covered, position)),
        );
        const removals = stable.filter((head) => mayPurge(head));
        const result = { purged: removals.length, waiting: due.length - stable.length };
        if (removals.length === 0) return { result };
        const floor = holds('R8 a purge raises the floor') ? joinVectors(state.floor, highest(removals)) : state.floor;
        return { removals, state: { floor }, silent: true, result };
      },
    });
    observer.purged(purged);
    if (purged > 0) changed?.();
    return waiting;
  }
}

function highest(heads: readonly Head[]): VersionVector {
  const vector = new Map<LogId, number>();
  for (const { position } of heads) {
    vector.set(position.log, Math.max(position.sequence, vector.get(position.log) ?? 0));
  }
  return vector;
}
