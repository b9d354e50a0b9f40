import type { NodeIdentity } from '../model/cluster.ts';
import type { Epochs } from '../model/epoch.ts';
import { MeridianError } from '../model/errors.ts';
import type { CaughtUp, Change, Changes, FollowStart, Opened, Resync } from '../model/feed.ts';
import { everything } from '../model/filter.ts';
import type { OriginId } from '../model/position.ts';
import { stampWallMs } from '../model/stamp.ts';
import type { VersionVector } from '../model/version-vector.ts';
import { lostBy } from '../replication/check-told.ts';
import type { FeedSink } from '../replication/feed-sink.ts';
import type { Ledger } from '../replication/ledger.ts';
import type { LostLife } from '../replication/lost-lives.ts';
import type { ReplicationObserver } from '../replication/observer.ts';
import { Replica } from '../replication/replica.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ResyncMark } from './resync-mark.ts';
import type { Settlement } from './settlement.ts';
import { UnheardWrites } from './unheard-writes.ts';

export interface PeerSinkOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly observer: ReplicationObserver;
  readonly address: string;
  readonly settlement: Settlement;
  readonly mark: ResyncMark;
  readonly clockSkewMsMax: number;
  /** Milliseconds after which a peer that says nothing is given up, and so is its sweep. */
  readonly silenceMsMax: number;
  /** Judges who is at the other end, and whether this origin may follow it. Throws FAILED_PRECONDITION. */
  readonly meet: (opened: Opened) => Promise<void>;
  /** Gives what was lost with another origin's disk a place in this origin's log. */
  readonly adopt: (lost: readonly LostLife[]) => Promise<void>;
  /** Asked before each commit: whether anything may be taken from this peer (rule R22). Throws FAILED_PRECONDITION. */
  readonly mayTake: (peer: OriginId) => void;
  readonly self: () => NodeIdentity;
  /** Judges what the other end knows of this origin's own log (rule R16). */
  readonly inspect: (step: Pick<CaughtUp, 'vector' | 'epochs'>) => void;
}

/** The name of a peer's progress in the store. */
function peerProgressName(address: string): string {
  return `peer/${address}`;
}

/** What an origin does with a peer's feed: merges it into its own store, and learns what the peer covers. */
export class PeerSink implements FeedSink {
  readonly #options: PeerSinkOptions;
  readonly #replica: Replica;
  readonly #unheard: UnheardWrites;
  #peer: NodeIdentity | undefined;
  /** What the peer covered that makes this origin begin anew by the stream that is open. */
  #sweptBy: VersionVector | undefined;

  private constructor(options: PeerSinkOptions, replica: Replica) {
    this.#options = options;
    this.#replica = replica;
    this.#unheard = new UnheardWrites(options.observer);
  }

  static async open(options: PeerSinkOptions): Promise<PeerSink> {
    const { ledger, clock, observer, address, settlement, mark } = options;
    const replica = await Replica.open({
      ledger,
      clock,
      observer,
      part: `peer ${address}`,
      filter: everything,
      onResync: () => mark.begin(address),
      peering: {
        progressName: peerProgressName(address),
        mustBeginAnew: () => mark.concerns(address),
        onSwept: () => mark.end(address),
        settled: (covered, before, { vector }) => {
          if (sink.#peer !== undefined) settlement.heard(sink.#peer.id as OriginId, vector);
          return settlement.after(covered, before);
        },
        adopt: options.adopt,
        overwritten: (held, record) => sink.#unheard.overwritten(held, record),
        check: (record) => sink.#check(record),
        mayTake: () => sink.#mayTake(),
      },
    });
    const sink = new PeerSink(options, replica);
    if (replica.isSweeping) mark.begin(address);
    return sink;
  }

  /** Who is at the other end of the stream; unset while none is open. */
  get peer(): NodeIdentity | undefined {
    return this.#peer;
  }

  start(): Promise<FollowStart> {
    return this.#replica.start();
  }

  /** Else a stream would be found to be over by the first change that comes, and what needs the peer then be refused. */
  checkStore(): void {
    this.#replica.checkStore();
    // This stream may go on for ever, and is the only one that could take the sweep over.
    const { mark, silenceMsMax } = this.#options;
    if (mark.abandonedMs <= silenceMsMax || this.#replica.isSweeping) return;
    throw new MeridianError('UNAVAILABLE', 'this peer takes over the sweep that another one left', {
      reason: 'begins-anew',
    });
  }

  async opened(event: Opened): Promise<void> {
    await this.#options.meet(event);
    await this.#replica.opened(event);
    this.#peer = event.node;
    this.#sweptBy = undefined;
    this.#options.mark.connected(this.#options.address);
  }

  closed(): void {
    this.#peer = undefined;
    this.#options.mark.disconnected(this.#options.address);
  }

  async apply(event: Resync | Changes | CaughtUp): Promise<void> {
    const peer = this.#peer?.id as OriginId | undefined;
    const step = event.kind === 'caught-up' ? event : event.kind === 'changes' ? event.step : undefined;
    if (event.kind === 'resync') this.#sweptBy = event.vector;
    if (event.kind === 'changes' && event.epochs !== undefined) this.#inspectOpenings(event.epochs);
    if (peer !== undefined && step !== undefined) this.#options.inspect(step);
    if (event.kind === 'resync' && event.reason === 'unknown-epoch') {
      // A sweep would take what only this origin holds of its own log, or of one whose lives have yet to be told apart.
      throw new MeridianError('FAILED_PRECONDITION', `${this.#peer?.name} knows another life of an origin's disk`, {
        reason: 'unknown-epoch',
        retryAfterMs: 500,
      });
    }
    await this.#replica.apply(withoutOpenings(event, (epochs) => this.#believed(epochs, step !== undefined)));
    if (peer !== undefined && step !== undefined) this.#unheard.heard(peer, step.vector);
  }

  /**
   * What an origin knows of its own openings nobody else tells it: a peer's may be of a life that this disk has lost. And
   * where the peer knows another life of a third one than is covered here, its steps are refused, but what it scans is
   * heard without that: the removal which tells the lives apart may be among it.
   */
  #believed(told: Epochs, closesStep: boolean): Epochs {
    const { state, registry } = this.#options.ledger;
    const believed = new Map(told);
    believed.delete(this.#options.self().id as OriginId);
    const torn = () => lostBy(state, believed, registry.membership);
    for (let origin = torn(); origin !== undefined && !closesStep; origin = torn()) believed.delete(origin);
    return believed;
  }

  /** What the peer knows of this origin's own log must be of this disk: its latest opening, and all that it covers. */
  #inspectOpenings(epochs: Epochs): void {
    const own = this.#options.self().id as OriginId;
    const latest = epochs.get(own)?.at(-1);
    if (latest !== undefined) this.#options.inspect({ vector: new Map([[own, latest.first]]), epochs });
    // Before anything is swept: what only this disk holds of its own log would go as well, and be saved by nobody.
    if (this.#sweptBy !== undefined) this.#options.inspect({ vector: this.#sweptBy, epochs });
  }

  /** What is synced here: an origin commits its peers' changes no other way. */
  durable(): VersionVector {
    return this.#options.ledger.state.covered;
  }

  /** Peers whose clocks differ for certain are not followed: the one that is ahead would win every conflict (R15). */
  checkClock(serverWallMs: number, roundTripMs: number): void {
    const { clock, clockSkewMsMax } = this.#options;
    const aheadMs = serverWallMs - clock.wallMs();
    const behindMs = -aheadMs - roundTripMs;
    const skewMs = Math.max(aheadMs, behindMs);
    if (skewMs > clockSkewMsMax) throw clocksDiffer(this.#peer?.name, skewMs, clockSkewMsMax);
  }

  #mayTake(): void {
    if (this.#peer !== undefined) this.#options.mayTake(this.#peer.id as OriginId);
  }

  /** A stamp from the future would win every conflict until then (rule R15), and no clock of ours can have issued it. */
  #check(record: Change): void {
    const { clock, clockSkewMsMax, ledger } = this.#options;
    const aheadMs = stampWallMs(record.stamp) - clock.wallMs();
    // What was issued counting on from an earlier high-water mark may be ahead, as far as that mark is.
    if (record.stamp <= ledger.state.highWater || aheadMs <= 2 * clockSkewMsMax) return;
    throw clocksDiffer(this.#peer?.name, aheadMs, 2 * clockSkewMsMax);
  }
}

function withoutOpenings<E extends Resync | Changes | CaughtUp>(event: E, believed: (told: Epochs) => Epochs): E {
  if (event.kind === 'resync') return event;
  const told = event.epochs === undefined ? event : { ...event, epochs: believed(event.epochs) };
  if (told.kind !== 'changes' || told.step?.epochs === undefined) return told;
  return { ...told, step: { ...told.step, epochs: believed(told.step.epochs) } };
}

export function clocksDiffer(peer: string | undefined, skewMs: number, limitMs: number): MeridianError {
  return new MeridianError(
    'FAILED_PRECONDITION',
    `the clock of ${peer} and this one differ by ${Math.round(skewMs)} ms; at most ${limitMs} ms are permitted`,
    { reason: 'clock-skew', limit: limitMs, seen: Math.round(skewMs), retryAfterMs: 1000 },
  );
}
