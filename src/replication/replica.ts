import { assert } from '../model/assert.ts';
import { cursorOf, heardEpochs } from '../model/epoch.ts';
import { MeridianError } from '../model/errors.ts';
import type { CaughtUp, Changes, FollowStart, Opened, Resync, Step } from '../model/feed.ts';
import { type Filter, matches } from '../model/filter.ts';
import type { RecordKey } from '../model/key.ts';
import { inPlaceOf, isSameOrFuller, movesTo, replaces } from '../model/merge.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { OriginId } from '../model/position.ts';
import type { Head, Record } from '../model/record.ts';
import { laterStamp, stampParts } from '../model/stamp.ts';
import { coversPosition, emptyVector, joinVectors, type VersionVector } from '../model/version-vector.ts';
import type { Clock } from '../runtime/clock.ts';
import { changeBytes } from './change-bytes.ts';
import { Telling, type Told } from './check-told.ts';
import type { FeedSink } from './feed-sink.ts';
import { heldUnshown } from './held-unshown.ts';
import { holdsBeyondFinal } from './holds-beyond-final.ts';
import type { Ledger } from './ledger.ts';
import { type LedgerState, stateAfter } from './ledger-state.ts';
import { heldLostLives } from './lost-lives.ts';
import type { Membership } from './membership.ts';
import type { ReplicationObserver } from './observer.ts';
import type { Peering } from './peering.ts';
import type { CommitView, Decision } from './proposal.ts';
import { removeRecords } from './remove-records.ts';
import { type Progress, progressAfter, readProgress, replicaProgressName } from './replica-progress.ts';
import { StoreLife } from './store-life.ts';
import { isForgotten, isRewritten, lostOf, registryOf, type Sweep } from './sweep.ts';

export interface ReplicaOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly observer: ReplicationObserver;
  /** For metrics. */
  readonly part: string;
  readonly filter: Filter;
  /** Called where the server makes the replica begin anew: the bound is void, and followers of this node must go (R21). */
  readonly onResync: () => void;
  /** Set at an origin, which follows several others into one store that has a covered vector of its own. */
  readonly peering?: Peering;
}

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

  private constructor(options: ReplicaOptions, progress: Progress) {
    this.#options = options;
    this.#progress = progress;
    this.#life = new StoreLife(options.ledger);
    this.#telling = new Telling(options.ledger, {
      isOrigin: options.peering !== undefined,
      claims: () => this.#claims,
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

  /** Whether what it covers means anything. */
  get #claims(): boolean {
    return this.hasCaughtUp || this.#options.peering !== undefined;
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
    if (peering !== undefined && this.isSweeping) this.#progress = { kind: 'nothing' };
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
    const { told, taken } = this.#telling.check(event);
    await this.#hear(told);
    return taken.kind === 'changes' ? this.#changes(taken) : this.#caughtUp(taken);
  }

  /** A copy claims nothing any more until it has caught up; an origin goes on covering what it covers by itself. */
  async #resync({ vector, finals }: Resync): Promise<void> {
    this.#membership.checkHeard(vector); // Before the first step of a sweep that could not end.
    this.#options.onResync();
    const state = this.#options.peering === undefined ? { covered: emptyVector } : {};
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

  /** Rule R16: what is held from a life of a disk that was lost is adopted by an origin; a copy begins anew. */
  async #hear(told: Told): Promise<void> {
    const { ledger, peering } = this.#options;
    const lost = await heldLostLives(ledger, told.epochs, this.#claims);
    if (lost.length === 0) return;
    if (peering !== undefined) return peering.adopt(lost);
    // While nothing is claimed it can go: the scan that follows shows what it took the place of.
    if (!this.hasCaughtUp) for (const life of lost) await removeRecords(ledger, life, { sync: true });
    this.#beginsAnew = true;
    throw new MeridianError('UNAVAILABLE', `what is held of origin ${lost[0]?.origin} was lost with its disk`, {
      reason: 'begins-anew',
    });
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
    const puts = event.records.flatMap((change) => {
      assert(change.kind !== 'announcement', 'a copy is sent every value');
      return this.#accepted(change, view);
    });
    const highWater = puts.reduce((high, put) => laterStamp(high, put.stamp), view.state.highWater);
    if (event.step === undefined) {
      const epochs = heardEpochs(view.state.epochs, event.epochs, this.#claims);
      return { puts, state: { highWater, epochs }, result: undefined };
    }
    return { puts, state: { highWater, ...this.#stateAfter(event.step, view) }, result: undefined };
  }

  #stateAfter(step: Step, { state }: CommitView): Partial<LedgerState> {
    const after = stateAfter(state, step);
    const { peering } = this.#options;
    return peering === undefined ? after : { ...after, settled: peering.settled(after.covered, state.settled, step) };
  }

  /** Nothing leaves an origin before it is synced (rule R1): what a peer sent goes on to this origin's followers. */
  get #mustSync(): boolean {
    const { peering, ledger } = this.#options;
    return peering !== undefined && ledger.state.covered.size > 0;
  }

  /** The rules by which a record gets in: R18 (dead namespaces), R20 (already covered), then the merge rule. */
  #accepted(record: Record, view: CommitView): Record[] {
    const { registry } = this.#options.ledger;
    const { observer, filter } = this.#options;
    if (!matches(filter, record.namespace, record.key)) return [];
    if (record.namespace !== registryNamespace && registry.isDead(record.namespace)) return [];
    const held = view.head(record);
    if (this.#options.peering === undefined && isRewritten(record, held, this.#sweep)) return [record];
    if (held === undefined) {
      // An end in the registry counts again: data of a namespace may have come since, of who had lost that it ended (R18).
      const isEnd = record.kind === 'tombstone' && record.namespace === registryNamespace;
      const meant = !isEnd && this.#claims;
      const superseded = meant && coversPosition(view.state.covered, record.position);
      return superseded ? [] : [record];
    }
    // Where its place is beyond a final sequence, whoever adopted it may have been removed as well (rule R23).
    const isLeft = isSameOrFuller(record, held) && this.#membership.isBeyondFinal(held.position);
    if (isLeft || movesTo(record, held)) return [record];
    if (!replaces(record, held)) {
      const conflict = record.stamp < held.stamp && stampParts(record.stamp).origin !== stampParts(held.stamp).origin;
      if (conflict) observer.conflictLost(held.stamp, record.stamp);
      return [];
    }
    if (record.stamp !== held.stamp) this.#options.peering?.overwritten(held, record);
    return [inPlaceOf(held, record)];
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
        return { ...decide(view), meta };
      },
    });
    this.#progress = progress;
  }
}

function progressNameOf({ peering }: ReplicaOptions): string {
  return peering?.progressName ?? replicaProgressName;
}
