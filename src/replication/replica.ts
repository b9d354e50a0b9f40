import { assert } from '../model/assert.ts';
import { cursorOf, type Epochs, type Hearer, heardEpochs, joinEpochs } from '../model/epoch.ts';
import type { CaughtUp, Changes, FollowStart, Opened, Resync, Step } from '../model/feed.ts';
import type { Filter } from '../model/filter.ts';
import type { RecordKey } from '../model/key.ts';
import type { OriginId } from '../model/position.ts';
import type { Head } from '../model/record.ts';
import { laterStamp } from '../model/stamp.ts';
import { emptyVector, joinVectors, type VersionVector } from '../model/version-vector.ts';
import type { Clock } from '../runtime/clock.ts';
import { accepted } from './accepted.ts';
import { changeBytes } from './change-bytes.ts';
import { HeardMeanwhile, lostLife, Telling, type Told } from './check-told.ts';
import type { FeedSink } from './feed-sink.ts';
import { hearOfLost } from './hear-of-lost.ts';
import { heldUnshown } from './held-unshown.ts';
import { holdsBeyondFinal } from './holds-beyond-final.ts';
import type { Ledger } from './ledger.ts';
import { type LedgerState, stateAfter } from './ledger-state.ts';
import type { Membership } from './membership.ts';
import type { ReplicationObserver } from './observer.ts';
import type { Peering } from './peering.ts';
import type { CommitView, Decision } from './proposal.ts';
import { forgetProgress, type Progress, progressAfter, readProgress, replicaProgressName } from './replica-progress.ts';
import { StoreLife } from './store-life.ts';
import { isForgotten, lostOf, registryOf, type Sweep } from './sweep.ts';

export interface ReplicaOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly observer: ReplicationObserver;
  /** For metrics. */
  readonly part: string;
  readonly filter: Filter;
  /** Called where the server makes the replica begin anew: the bound is void, and followers of this node must go (R21). */
  readonly onResync: () => void;
  /** Called with what is taken of each event, before anything is awaited. */
  readonly onTaken?: (taken: Changes | CaughtUp, told: Told) => void;
  /** Set at an origin, which follows several others into one store that has a covered vector of its own. */
  readonly peering?: Peering;
}

/** Judgings of one event, where openings are heard of by another feed meanwhile. */
const judgingsMax = 4;

/**
 * The following side of a copy: events in, merged records and the cursor that they advance in the same batch (R3).
 * It holds every record of its part once it has caught up.
 */
export class Replica implements FeedSink {
  readonly #options: ReplicaOptions;
  #progress: Progress;
  /** In which the progress was read. */
  readonly #life: StoreLife;
  readonly #telling: Telling;
  /** The origin that a copy follows, where it is one. */
  #server: OriginId | undefined;
  #beginsAnew = false;
  /** The openings that were known when the changes that are applied were judged; unset at a resync, which shows none. */
  #judgedBy: Epochs | undefined;

  private constructor(options: ReplicaOptions, progress: Progress) {
    this.#options = options;
    this.#progress = progress;
    this.#life = new StoreLife(options.ledger);
    this.#telling = new Telling(options.ledger, {
      isOrigin: options.peering !== undefined,
      claims: () => this.#hearer !== 'claims-nothing',
      beginAnew: () => {
        this.#beginsAnew = options.peering === undefined;
      },
    });
  }

  static async open(options: ReplicaOptions): Promise<Replica> {
    return new Replica(options, await readProgress(options.ledger.store, progressNameOf(options)));
  }

  /** True once all records of the part were received, at some time: from then on the covered vector means something. */
  get hasCaughtUp(): boolean {
    return this.#progress.kind === 'covered';
  }

  get #hearer(): Hearer {
    if (this.#options.peering !== undefined) return 'origin';
    return this.hasCaughtUp ? 'edge' : 'claims-nothing';
  }

  /** True while a scan that sweeps is under way, or was interrupted. */
  get isSweeping(): boolean {
    return this.#progress.kind === 'scan' && this.#progress.sweep !== undefined;
  }

  async start(): Promise<FollowStart> {
    const { ledger, peering } = this.#options;
    if (this.#life.renew()) this.#progress = await readProgress(ledger.store, progressNameOf(this.#options));
    const { state } = ledger;
    const mustBeginAnew = peering?.mustBeginAnew() ?? (this.hasCaughtUp && (await holdsBeyondFinal(ledger)));
    if (mustBeginAnew || this.#beginsAnew) return { kind: 'partial', token: 'none' };
    // Another sweep stood in for this one: what it would go on to remove, unmarked, is not to go without a trace.
    if (peering !== undefined && this.isSweeping) this.#progress = await forgetProgress(ledger, peering.progressName);
    const progress = this.#progress;
    // An origin that covers something goes on from there, also with a peer whom it never followed, or not to the end.
    const goesOn = peering !== undefined && state.covered.size > 0;
    if (progress.kind === 'covered' || goesOn) {
      const token = progress.kind === 'nothing' ? undefined : progress.token;
      const cursor = cursorOf(state.covered, state.epochs);
      return { kind: 'cursor', cursor, ...(token === undefined ? {} : { token }) };
    }
    return progress.kind === 'nothing' ? progress : { kind: 'partial', token: progress.token ?? 'none' };
  }

  async opened({ node }: Opened): Promise<void> {
    const { role, id } = node;
    this.#telling.opened(node);
    this.#server = role === 'origin' ? (id as OriginId) : undefined;
  }

  async apply(event: Resync | Changes | CaughtUp): Promise<void> {
    if (event.kind === 'resync') return this.#resync(event);
    for (let attempt = 1; ; attempt++) {
      if (this.#options.peering !== undefined) this.#judgedBy = this.#options.ledger.state.epochs;
      const { told, taken } = this.#telling.check(event);
      this.#options.onTaken?.(taken, told);
      try {
        await this.#hear(told);
        return await (taken.kind === 'changes' ? this.#changes(taken) : this.#caughtUp(taken));
      } catch (error) {
        if (!(error instanceof HeardMeanwhile) || attempt === judgingsMax) throw error;
      }
    }
  }

  /** A copy claims nothing any more, nor for others, until it has caught up; an origin covers what it covers by itself. */
  async #resync({ vector, finals }: Resync): Promise<void> {
    this.#membership.checkHeard(vector); // Before the first step of a sweep that could not end.
    this.#judgedBy = undefined;
    this.#options.onResync();
    const state = this.#options.peering === undefined ? { covered: emptyVector, settled: emptyVector } : {};
    const progress: Progress = { kind: 'scan', sweep: [...vector], finals: [...finals] };
    await this.#commit([], true, () => ({ state, result: undefined }), progress);
    this.#beginsAnew = false;
  }

  /** False once the store was opened again since the stream began. */
  get isCurrent(): boolean {
    return this.#life.isCurrent;
  }

  checkStore(): void {
    this.#life.check();
  }

  get #membership(): Membership {
    return this.#options.ledger.registry.membership;
  }

  durable(): VersionVector {
    return this.hasCaughtUp ? this.#options.ledger.state.covered : emptyVector;
  }

  async #hear({ epochs }: Told): Promise<void> {
    const know = (told: Epochs) => this.#know(told);
    const lost = await hearOfLost(epochs, { ...this.#options, hearer: this.#hearer, know });
    if (lost === undefined) return;
    this.#beginsAnew = true;
    throw lostLife(lost, 'what is held', 'begins-anew');
  }

  #know(told: Epochs): Promise<void> {
    const decide = ({ state }: CommitView) => {
      this.#judgedBy = joinEpochs(state.epochs, told, 'origin');
      return { state: { epochs: this.#judgedBy }, result: undefined };
    };
    return this.#commit([], true, decide, this.#progress);
  }

  async #changes(event: Changes): Promise<void> {
    const { observer, clock, part } = this.#options;
    const [sweep, range] = [this.#sweep, event.range];
    const first = sweep && registryOf(event);
    if (first !== undefined) await this.#changes(first);
    const unshown = sweep && range ? await heldUnshown(this.#options.ledger, range, event) : [];
    for (const record of event.records) {
      this.#membership.checkHeardOf(record.position);
      this.#options.peering?.check(record);
    }
    let removals: readonly Head[] = [];
    await this.#commit(
      [...event.records, ...unshown],
      this.#mustSync,
      (view) => {
        const decision = this.#merged(event, view);
        if (sweep === undefined) return decision;
        const heads = unshown.map((held) => view.head(held)).filter((head) => head !== undefined);
        removals = heads.filter((head) => isForgotten(head, sweep));
        return { ...decision, removals };
      },
      progressAfter(this.#progress, event),
      event.records.reduce((sum, record) => sum + changeBytes(record), 0),
    );
    if (sweep !== undefined) for (const key of lostOf(removals, sweep)) this.#options.ledger.registry.unlearn(key);
    if (event.committedAtMs !== undefined && event.records.length > 0) {
      observer.propagated(part, clock.wallMs() - event.committedAtMs);
    }
  }

  #merged(event: Changes, view: CommitView): Decision<undefined> {
    const { peering } = this.#options;
    const { registry } = this.#options.ledger;
    const accepting = {
      ...this.#options,
      registry,
      peering,
      sweep: this.#sweep,
      claims: this.#hearer !== 'claims-nothing',
    };
    const puts = event.records.flatMap((change) => {
      assert(change.kind !== 'announcement', 'a copy is sent every value');
      return accepted(change, view, accepting);
    });
    const highWater = puts.reduce((high, put) => laterStamp(high, put.stamp), view.state.highWater);
    if (event.step === undefined) {
      const epochs = heardEpochs(view.state.epochs, event.epochs, this.#hearer);
      return { puts, state: { highWater, epochs }, result: undefined };
    }
    return { puts, state: { highWater, ...this.#stateAfter(event.step, view) }, result: undefined };
  }

  #stateAfter(step: Step, { state }: CommitView): Partial<LedgerState> {
    const { peering } = this.#options;
    const after = stateAfter(state, step, this.#hearer);
    return peering === undefined ? after : { ...after, settled: peering.settled(after.covered, state.settled, step) };
  }

  /** Nothing leaves an origin before it is synced (rule R1): what a peer sent goes on to this origin's followers. */
  get #mustSync(): boolean {
    const { peering, ledger } = this.#options;
    return peering !== undefined && ledger.state.covered.size > 0;
  }

  get #sweep(): Sweep | undefined {
    if (this.#progress.kind !== 'scan' || this.#progress.sweep === undefined) return undefined;
    const { sweep, finals = [] } = this.#progress;
    const vector = new Map(sweep);
    if (this.#options.peering !== undefined) return { vector, server: undefined, finals: emptyVector };
    return { vector, server: this.#server, finals: new Map([...this.#membership.finals, ...finals]) };
  }

  async #caughtUp(event: CaughtUp): Promise<void> {
    const sweep = this.#sweep;
    await this.#commit(
      [],
      true,
      (view) => ({
        state: {
          ...this.#stateAfter(event, view),
          // After a sweep nobody here knows what was purged before it (rule R8).
          floor: this.#membership.withinFinal(
            joinVectors(view.state.floor, sweep === undefined ? event.floor : event.vector),
          ),
        },
        result: undefined,
      }),
      { kind: 'covered' },
    );
    if (sweep !== undefined) this.#options.peering?.onSwept();
  }

  /** One batch: what was decided and where the feed stands after it. */
  async #commit(
    keys: readonly RecordKey[],
    sync: boolean,
    decide: (view: CommitView) => Decision<undefined>,
    progress: Progress,
    bytes = 0,
  ): Promise<void> {
    const changed = JSON.stringify(progress) !== JSON.stringify(this.#progress);
    const meta = new Map(changed ? [[progressNameOf(this.#options), Buffer.from(JSON.stringify(progress))]] : []);
    await this.#options.ledger.submit({
      keys,
      sync,
      bytes,
      decide: (view) => {
        this.checkStore();
        this.#options.peering?.mayTake();
        // By another peer's feed, perhaps of what took the place of what this one shows.
        if (this.#judgedBy !== undefined && view.state.epochs !== this.#judgedBy) throw new HeardMeanwhile();
        return { ...decide(view), meta };
      },
    });
    this.#progress = progress;
  }
}

function progressNameOf({ peering }: ReplicaOptions): string {
  return peering?.progressName ?? replicaProgressName;
}
