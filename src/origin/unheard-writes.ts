import type { MemberId } from '../model/position.ts';
import type { Head, Record } from '../model/record.ts';
import { type Stamp, stampParts } from '../model/stamp.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { Logs } from '../replication/logs.ts';
import type { ReplicationObserver } from '../replication/observer.ts';

interface Overwritten {
  readonly loser: Head;
  readonly winner: Stamp;
}

/** Overwritten writes that wait for the end of a scan, at the most; further ones are not counted. */
const waitingMax = 1024;

/**
 * Reports writes that were held here and lost against a later one of the peer, which knew nothing of them. What the
 * peer covers once it has sent its write shows that: a write that it covers it had before, or has met since and counted
 * itself.
 *
 *     here holds k at (c, 5); the peer sends a later k of its own, and then says that it covers {c: 4}: a conflict
 */
export class UnheardWrites {
  readonly #observer: Pick<ReplicationObserver, 'conflictLost'>;
  readonly #logs: Logs;
  #waiting: Overwritten[] = [];

  constructor(observer: Pick<ReplicationObserver, 'conflictLost'>, logs: Logs) {
    this.#observer = observer;
    this.#logs = logs;
  }

  overwritten(loser: Head, { stamp: winner }: Record): void {
    if (this.#memberOf(loser.stamp) === this.#memberOf(winner)) return;
    if (this.#waiting.length < waitingMax) this.#waiting.push({ loser, winner });
  }

  /** What the peer covers, at a step or the end of a scan. */
  heard(peer: MemberId, covered: VersionVector): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { loser, winner } of waiting) {
      const unheard = this.#memberOf(winner) === peer && !this.#logs.coversPosition(covered, loser.position);
      if (unheard) this.#observer.conflictLost(winner, loser.stamp);
    }
  }

  #memberOf(stamp: Stamp): string {
    const { log } = stampParts(stamp);
    return this.#logs.get(log)?.member ?? log;
  }
}
