import type { NodeIdentity } from '../model/cluster.ts';
import { MeridianError } from '../model/errors.ts';
import {
  type CaughtUp,
  type Change,
  type Changes,
  type FollowStart,
  type Opened,
  type Opening,
  type Resync,
  toldIn,
} from '../model/feed.ts';
import { everything } from '../model/filter.ts';
import type { MemberId } from '../model/position.ts';
import { holds } from '../model/rules.ts';
import { stampWallMs } from '../model/stamp.ts';
import { emptyVector, joinVectors, type VersionVector } from '../model/version-vector.ts';
import type { FeedSink } from '../replication/following/feed-sink.ts';
import { Replica } from '../replication/following/replica.ts';
import type { Ledger } from '../replication/ledger.ts';
import type { ReplicationObserver } from '../replication/observer.ts';
import type { Clock } from '../runtime/clock.ts';
import type { FirstFill } from './first-fill.ts';
import type { Stability } from './stability.ts';
import { lacksPurged } from './unheard-purges.ts';
import { UnheardWrites } from './unheard-writes.ts';

export interface PeerSinkOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly observer: ReplicationObserver;
  readonly address: string;
  readonly stability: Stability;
  readonly clockSkewMsMax: number;
  /** Judges which node is at the other end, and whether this origin may follow it. Throws FAILED_PRECONDITION. */
  readonly meet: (opened: Opened) => Promise<void>;
  /** Asked before each commit: whether anything may be taken from this peer (rule R22). Throws FAILED_PRECONDITION. */
  readonly mayTake: (peer: MemberId) => void;
  /** Decides whether a scan of this peer may fill this member (rule R19). */
  readonly fill: FirstFill;
  /**
   * False while an initiator may have removed that member by this origin's report, while that member has not heard of
   * all members that this origin knows, and while this origin does not serve: a majority by that member's count might
   * not meet those that are enough to remove it. Nothing is acknowledged to it then.
   */
  readonly mayAcknowledge: (peer: MemberId) => boolean;
  /** Records came that lie beyond a seal, or in an unknown log. */
  readonly tookBeyond: () => void;
}

/** What an origin does with a peer's feed: merges it into its own store, and learns what the peer covers. */
export class PeerSink implements FeedSink {
  readonly #options: PeerSinkOptions;
  readonly #replica: Replica;
  readonly #unheard: UnheardWrites;
  /** The start that the stream was asked for. */
  #start: FollowStart | undefined;
  /** What was purged here by then, which the peer has heard of: else it would not serve (`Admission.admit`). */
  #floor: VersionVector = emptyVector;
  /** What the peer told in this stream that it covers, and the last floor that was found to lie within both. */
  #covered: VersionVector = emptyVector;
  #checked: VersionVector = emptyVector;
  #peer: NodeIdentity | undefined;
  #opening: Opening | undefined;

  private constructor(options: PeerSinkOptions, replica: Replica) {
    this.#options = options;
    this.#replica = replica;
    this.#unheard = new UnheardWrites(options.observer, options.ledger.registry.logs);
  }

  static async open(options: PeerSinkOptions): Promise<PeerSink> {
    const { ledger, clock, observer, address, fill } = options;
    const replica = await Replica.open({
      ledger,
      clock,
      observer,
      scope: `peer ${address}`,
      filter: everything,
      progressName: `peer/${address}`,
      member: {
        mayTake: (floor) => {
          sink.#mayTake();
          sink.#checkFloor(floor);
          fill.taken(address);
        },
        check: (record) => sink.#check(record),
        overwritten: (held, record) => sink.#unheard.overwritten(held, record),
        told: (vector, kind) => sink.#told(vector, kind),
      },
    });
    const sink = new PeerSink(options, replica);
    return sink;
  }

  /** The node at the other end of the stream; unset while none is open. */
  get peer(): NodeIdentity | undefined {
    return this.#peer;
  }

  /** A stream is open in which the peer has yet to tell what it covers: until then a purge here would break it off. */
  get isUntold(): boolean {
    return this.#peer !== undefined && this.#covered.size === 0;
  }

  async start(): Promise<FollowStart> {
    this.#start = await this.#replica.start();
    this.#floor = this.#options.ledger.state.floor;
    this.#checked = this.#floor;
    this.#covered = emptyVector;
    return this.#start;
  }

  async opened(event: Opened): Promise<void> {
    const { meet, fill, address } = this.#options;
    await meet(event);
    if (this.#start?.kind !== 'cursor') await fill.begin(address, this.#start?.kind === 'partial');
    this.#peer = event.node;
    this.#opening = event.opening;
    this.#mayTake();
  }

  async apply(event: Resync | Changes | CaughtUp): Promise<void> {
    await this.#replica.apply(event);
    const { logs } = this.#options.ledger.registry;
    const isUncounted = ({ position }: Pick<Change, 'position'>) =>
      logs.isBeyond(position) || logs.get(position.log) === undefined;
    const told = event.kind === 'changes' ? toldIn(event) : [];
    if (told.some(isUncounted)) this.#options.tookBeyond();
    if (event.kind === 'caught-up') this.#options.fill.done();
  }

  /** What is synced here: an origin commits peers' changes only synced. Empty until it is known who asks. */
  durable(): VersionVector {
    const { ledger, mayAcknowledge } = this.#options;
    const peer = this.#peer?.id as MemberId | undefined;
    return peer !== undefined && mayAcknowledge(peer) ? ledger.state.covered : emptyVector;
  }

  /** A peer whose clock certainly differs is not followed: the one that is ahead would win every conflict (R15). */
  checkEcho(serverWallMs: number, roundTripMs: number): void {
    this.#replica.checkStore();
    const { clock, clockSkewMsMax } = this.#options;
    const aheadMs = serverWallMs - clock.wallMs();
    const behindMs = -aheadMs - roundTripMs;
    const skewMs = Math.max(aheadMs, behindMs);
    if (skewMs > clockSkewMsMax && holds('R15 clocks are compared'))
      throw clocksDiffer(this.#peer?.name, skewMs, clockSkewMsMax);
  }

  closed(): void {
    this.#peer = undefined;
    this.#opening = undefined;
    this.#options.fill.left(this.#options.address);
  }

  #told(vector: VersionVector, kind: 'caught-up' | 'step'): void {
    const peer = this.#peer?.id as MemberId | undefined;
    if (peer === undefined) return;
    this.#covered = joinVectors(this.#covered, vector);
    this.#unheard.heard(peer, vector);
    this.#options.stability.tell(peer, vector, kind);
  }

  /** Once a member has heard of a later opening of its peer, it takes nothing of an earlier one (rule R22). */
  #mayTake(): void {
    const peer = this.#peer?.id as MemberId | undefined;
    if (peer === undefined) return;
    const newest = this.#options.ledger.registry.logs.newest(peer);
    const opened = this.#opening?.opened;
    const isOver = newest !== undefined && opened !== undefined && newest.opened > opened;
    if (isOver && holds('R22 nothing of an earlier opening')) {
      throw new MeridianError('UNAVAILABLE', `${this.#peer?.name} has opened its store again since this stream began`, {
        reason: 'opening-superseded',
        retryAfterMs: 100,
      });
    }
    this.#options.mayTake(peer);
    if (this.#start?.kind === 'cursor') return;
    this.#options.fill.check(this.#options.address);
  }

  /**
   * What was purged here since the stream began, the peer may have lost with its disk: what it shows then may be what a
   * deletion superseded that nobody remembers. It is asked again, and judges itself by the floor that it is sent (rule R8).
   *
   *     here        deletion of k, at (a, 9)      purged: floor {a: 9}
   *     the peer    put back to before (a, 9)     ── k, at (b, 4) ──▶  would count here, as nothing is held of k
   */
  #checkFloor(floor: VersionVector): void {
    if (floor === this.#checked || !holds('R8 a peer is asked again after a purge')) return;
    const { logs } = this.#options.ledger.registry;
    if (lacksPurged(logs, floor, { covered: this.#covered, floor: this.#floor })) {
      const message = `more was purged here since this stream began than ${this.#peer?.name} has told that it covers`;
      throw new MeridianError('UNAVAILABLE', message, { reason: 'purged-since' });
    }
    this.#checked = floor;
  }

  /** A stamp from the future would win every conflict until then (rule R15), and no clock of ours can have issued it. */
  #check(record: Change): void {
    const { clock, clockSkewMsMax, ledger } = this.#options;
    const aheadMs = stampWallMs(record.stamp) - clock.wallMs();
    // A stamp counted on from an earlier high-water mark may be ahead, as far as that mark is.
    if (record.stamp <= ledger.state.highWater || aheadMs <= 2 * clockSkewMsMax) return;
    if (!holds('R15 clocks are compared')) return;
    throw clocksDiffer(this.#peer?.name, aheadMs, 2 * clockSkewMsMax);
  }
}

export function clocksDiffer(peer: string | undefined, skewMs: number, limitMs: number): MeridianError {
  return new MeridianError(
    'FAILED_PRECONDITION',
    `the clock of ${peer} and this one differ by ${Math.round(skewMs)} ms; at most ${limitMs} ms are permitted`,
    { reason: 'clock-skew', limit: limitMs, seen: Math.round(skewMs), retryAfterMs: 1000 },
  );
}
