import { expireInPlace, type Head, type LiveHead } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { SettledTime } from './clocks/settled-time.ts';
import { eachEnded, unchanged } from './ended-records.ts';
import type { ReplicationObserver } from './observer.ts';
import { Purge, type PurgeOptions } from './purge.ts';

export interface GarbageOptions extends PurgeOptions {
  readonly clock: Clock;
  readonly observer: ReplicationObserver;
  /** Milliseconds between two rounds. */
  readonly garbageIntervalMs: number;
  /** Milliseconds by which clocks may differ: a value is dropped only that long after its expiry. */
  readonly clockSkewMsMax: number;
  /** The time to go by for what cannot be undone. */
  readonly settled: Pick<SettledTime, 'look'>;
  /** Run before each round, for example to compute the stable vector anew. */
  readonly beforeRound?: () => Promise<void>;
}

/**
 * What time does to records: a live record that has expired becomes a tombstone in place (rule R9), with the same stamp and
 * position and without its value, and a tombstone that is old enough and stable goes for good (rule R19). Every node does
 * both alone, from the records themselves; nothing is sent.
 */
export class GarbageCollection {
  readonly #options: GarbageOptions;
  readonly #purge: Purge;

  constructor(options: GarbageOptions) {
    this.#options = options;
    this.#purge = new Purge(options);
  }

  /** Tombstones past their retention that wait for a member that has not said it covers them (rule R19). */
  get waiting(): number {
    return this.#purge.waiting;
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.#options.clock, this.#options.garbageIntervalMs, signal);
      await this.round(signal).catch((error: unknown) => this.#options.observer.commitFailed(error));
    }
  }

  /** One round over everything that is due by the settled time. */
  async round(signal: AbortSignal): Promise<void> {
    const { ledger, settled, clockSkewMsMax, beforeRound } = this.#options;
    await beforeRound?.();
    const nowMs = settled.look();
    if (nowMs === undefined) return;
    await eachEnded(ledger, 'live', Math.floor((nowMs - clockSkewMsMax) / 1000), signal, (heads) =>
      this.#expire(heads),
    );
    await this.#purge.round(nowMs, signal);
  }

  async #expire(heads: readonly Head[]): Promise<void> {
    const { ledger, observer, changed } = this.#options;
    const expired = await ledger.submit({
      keys: heads,
      sync: false,
      bytes: heads.length * 128,
      decide: (view) => {
        const live = heads.map((head) => unchanged(head, view.head(head))).filter((head) => head?.kind === 'live');
        if (!holds('R9 expiry in place')) return { removals: live as Head[], silent: true, result: live.length };
        return { puts: live.map((head) => expireInPlace(head as LiveHead)), silent: true, result: live.length };
      },
    });
    observer.expired(expired);
    if (expired > 0) changed?.();
  }
}
