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

/** Expiry in place (rule R9), and the purge of tombstones that are old enough and settled (rule R19). */
export class Sweeper {
  readonly #options: SweeperOptions;

  constructor(options: SweeperOptions) {
    this.#options = options;
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
    const before = Math.floor((nowMs - tombstoneRetentionMs) / 1000);
    await this.#each('tombstone', before, signal, (heads) => this.#purge(heads));
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

  async #purge(heads: readonly Head[]): Promise<void> {
    const { ledger, observer, mayPurge } = this.#options;
    const purged = await ledger.submit({
      keys: heads,
      sync: false,
      bytes: heads.length * 128,
      decide: (view) => {
        const removals = heads
          .map((head) => unchanged(head, view.head(head)))
          .filter((head) => head?.kind === 'tombstone')
          .filter((head) => coversPosition(view.state.settled, head.position) && mayPurge(head));
        const floor = joinVectors(view.state.floor, highest(removals));
        return { removals, state: { floor }, silent: true, result: removals.length };
      },
    });
    observer.purged(purged);
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
