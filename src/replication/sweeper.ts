import type { OriginId } from '../model/position.ts';
import { expireInPlace, type Head, type LiveHead, type Tombstone } from '../model/record.ts';
import { coversPosition, joinVectors, type VersionVector } from '../model/version-vector.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Ledger } from './ledger.ts';
import type { ReplicationObserver } from './observer.ts';

export interface SweeperOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly observer: ReplicationObserver;
  /** Milliseconds between sweeps. */
  readonly sweepIntervalMs: number;
  /** Milliseconds by which clocks may differ: a value is dropped only that long after its expiry. */
  readonly clockSkewMsMax: number;
  /** Milliseconds for which a tombstone is kept, from the later of its stamp and its expiry. */
  readonly tombstoneRetentionMs: number;
  /** Whether a tombstone may go as far as others than this store are concerned. */
  readonly mayPurge: (tombstone: Tombstone) => boolean;
}

/** Milliseconds between looks at tombstones that wait while nothing more is settled. */
const waitingLookMs = 60_000;

/** Expiry in place (rule R9), and the purge of tombstones that are old enough and settled (rule R19). */
export class Sweeper {
  readonly #options: SweeperOptions;
  #waiting = 0;
  /** The settled vector and the time of the last look at tombstones. */
  #looked: { readonly settled: VersionVector; readonly atMs: number } | undefined;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  /** Tombstones past their retention that wait for an origin that has not said it covers them (rule R19). */
  get waiting(): number {
    return this.#waiting;
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.#options.clock, this.#options.sweepIntervalMs, signal);
      await this.sweep(signal).catch((error: unknown) => this.#options.observer.commitFailed(error));
    }
  }

  /** Once over everything that is due. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { clock, clockSkewMsMax, tombstoneRetentionMs } = this.#options;
    const nowMs = clock.wallMs();
    await this.#each('live', Math.floor((nowMs - clockSkewMsMax) / 1000), signal, (heads) => this.#expire(heads));
    if (!this.#purgeIsDue()) return;
    const { settled } = this.#options.ledger.state;
    const before = Math.floor((nowMs - tombstoneRetentionMs) / 1000);
    let waiting = 0;
    await this.#each('tombstone', before, signal, async (heads) => {
      waiting += await this.#purge(heads);
    });
    this.#waiting = waiting;
    this.#looked = { settled, atMs: this.#options.clock.monotonicMs() };
    this.#options.observer.purgeWaits(waiting);
  }

  /** Many tombstones may wait for long: they are looked at again once more is settled, or from time to time. */
  #purgeIsDue(): boolean {
    const { ledger, clock } = this.#options;
    if (this.#waiting === 0 || this.#looked?.settled !== ledger.state.settled) return true;
    return clock.monotonicMs() - this.#looked.atMs >= waitingLookMs;
  }

  async #each(
    kind: 'live' | 'tombstone',
    throughSeconds: number,
    signal: AbortSignal,
    take: (heads: readonly Head[]) => Promise<void>,
  ): Promise<void> {
    if (throughSeconds < 0) return;
    const { snapshot } = this.#options.ledger.instant();
    try {
      for await (const heads of snapshot.ended(kind, throughSeconds)) {
        signal.throwIfAborted();
        await take(heads);
      }
    } finally {
      await snapshot.close();
    }
  }

  async #expire(heads: readonly Head[]): Promise<void> {
    const { ledger, observer } = this.#options;
    const expired = await ledger.submit({
      keys: heads,
      sync: false,
      bytes: heads.length * 128,
      decide: (view) => {
        const live = heads.map((head) => unchanged(head, view.head(head))).filter((head) => head?.kind === 'live');
        return { puts: live.map((head) => expireInPlace(head as LiveHead)), silent: true, result: live.length };
      },
    });
    observer.expired(expired);
  }

  /** Resolves with how many have to wait. */
  async #purge(heads: readonly Head[]): Promise<number> {
    const { ledger, observer, mayPurge } = this.#options;
    const { purged, waiting } = await ledger.submit({
      keys: heads,
      sync: false,
      bytes: heads.length * 128,
      decide: (view) => {
        const due = heads.map((head) => unchanged(head, view.head(head))).filter((head) => head?.kind === 'tombstone');
        const settled = due.filter((head) => coversPosition(view.state.settled, head.position));
        const removals = settled.filter((head) => mayPurge(head));
        const result = { purged: removals.length, waiting: due.length - settled.length };
        if (removals.length === 0) return { result };
        const floor = joinVectors(view.state.floor, highest(removals));
        return { removals, state: { floor }, silent: true, result };
      },
    });
    observer.purged(purged);
    return waiting;
  }
}

/** The head that is held, if it is still the one that was seen. */
function unchanged(seen: Head, held: Head | undefined): Head | undefined {
  return held !== undefined && held.stamp === seen.stamp && held.kind === seen.kind ? held : undefined;
}

function highest(heads: readonly Head[]): VersionVector {
  const vector = new Map<OriginId, number>();
  for (const { position } of heads) {
    vector.set(position.origin, Math.max(position.sequence, vector.get(position.origin) ?? 0));
  }
  return vector;
}
