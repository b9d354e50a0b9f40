import type { NodeIdentity, Track, TrackArrival } from '../../model/cluster.ts';
import type { Change, ChangeTrack, FollowOpen } from '../../model/feed.ts';
import type { Position } from '../../model/position.ts';
import type { Clock } from '../../runtime/clock.ts';
import { rememberLatest } from '../../runtime/remember-latest.ts';

/** Tracks to keep, and how long each is kept. */
const tracksMax = 16;
const keptMs = 60_000;
/** Tracks that begin in one second. Each costs a probe of each follower, and probes prove how old things are. */
const tracksPerSecondMax = 8;
/** Arrivals of all tracks together; more are not reported. A status with all of them has less than 2 MiB. */
const arrivalsMax = 8192;

interface Kept {
  readonly position: Position;
  readonly id: number;
  readonly beganMs: number;
  /** By follower and scope. */
  readonly arrivals: Map<string, TrackArrival>;
}

/**
 * How single changes travel from this node to its followers, by this node's clock alone:
 *
 *     this node                    follower
 *     t=0   the write is decided
 *           change, track 3 ───▶
 *                                  applied
 *           ◀─── probe, tracked 3
 *     t=93  the follower had it within 93 ms: the way back is counted too, so it is never less than what was
 *
 * The tracked changes of a commit are reported together. A node that follows another one takes the track over for its
 * own followers, from the moment the change arrives: the sum of both measurements is a bound along the chain.
 */
export class Tracks {
  readonly #clock: Clock;
  readonly #kept = new Map<number, Kept>();
  #lastId = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The write at this position is about to go to followers. If there are too many in a second, it is not tracked. */
  begin(position: Position): void {
    this.#forgetOld();
    const beganMs = this.#clock.monotonicMs();
    const latest = [...this.#kept.values()].filter((kept) => beganMs - kept.beganMs < 1000);
    if (latest.length >= tracksPerSecondMax) return;
    const id = ++this.#lastId;
    rememberLatest(this.#kept, id, { position, id, beganMs, arrivals: new Map() }, tracksMax);
  }

  /** These changes go to a follower now. Returns the tracks to send beside them: almost always none. */
  sent(changes: readonly Change[], node: NodeIdentity, scope: FollowOpen['role']): readonly ChangeTrack[] {
    if (this.#kept.size === 0) return [];
    this.#forgetOld();
    const all = [...this.#kept.values()];
    let room = all.reduce((left, { arrivals }) => left - arrivals.size, arrivalsMax);
    const sequences = new Set(all.map(({ position }) => position.sequence));
    return changes.flatMap(({ position: { log, sequence } }) => {
      if (!sequences.has(sequence)) return [];
      const kept = all.find(({ position }) => position.sequence === sequence && position.log === log);
      if (kept === undefined || room <= 0) return [];
      room--;
      const { name, role, id, region } = node;
      kept.arrivals.set(nameOf(node, scope), { name, role, id, region, scope });
      return [{ id: kept.id, position: kept.position }];
    });
  }

  /** The follower says that it has applied the tracked change. */
  arrived(id: number, node: NodeIdentity, scope: FollowOpen['role']): void {
    const track = this.#kept.get(id);
    const arrival = track?.arrivals.get(nameOf(node, scope));
    if (track === undefined || arrival === undefined || arrival.elapsedMs !== undefined) return;
    const elapsedMs = this.#clock.monotonicMs() - track.beganMs;
    track.arrivals.set(nameOf(node, scope), { ...arrival, elapsedMs });
  }

  /** The tracks of the last minute, the oldest first. */
  status(): readonly Track[] {
    this.#forgetOld();
    const nowMs = this.#clock.monotonicMs();
    return [...this.#kept.values()].map(({ position, beganMs, arrivals }) => ({
      ...position,
      ageMs: nowMs - beganMs,
      arrivals: [...arrivals.values()],
    }));
  }

  #forgetOld(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [id, { beganMs }] of this.#kept) {
      if (nowMs - beganMs <= keptMs) return;
      this.#kept.delete(id);
    }
  }
}

function nameOf({ id }: NodeIdentity, scope: FollowOpen['role']): string {
  return `${id} ${scope}`;
}
