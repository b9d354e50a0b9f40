import { assert, unreachable } from '../../model/assert.ts';
import { MeridianError } from '../../model/errors.ts';
import {
  type CaughtUp,
  type Change,
  type Changes,
  type FollowStart,
  type Lost,
  type Resync,
  type ScanRange,
  type Step,
  toldIn,
} from '../../model/feed.ts';
import { type Filter, matches } from '../../model/filter.ts';
import { compareRecordKeys, type RecordKey } from '../../model/key.ts';
import { inPlaceOf, replaces } from '../../model/merge.ts';
import { registryNamespace } from '../../model/namespace.ts';
import { isAt } from '../../model/position.ts';
import type { Head, Record } from '../../model/record.ts';
import { holds } from '../../model/rules.ts';
import { laterStamp, stampParts } from '../../model/stamp.ts';
import { emptyVector, joinVectors, type VersionVector } from '../../model/version-vector.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Damaged, Store } from '../../store/store.ts';
import type { CommitView, Decision, Ledger } from '../ledger.ts';
import type { LedgerState } from '../ledger-state.ts';
import { damagedRecord } from '../mending.ts';
import type { ReplicationObserver } from '../observer.ts';
import { checkSeals } from './check-seals.ts';
import { VoidCheck } from './void-check.ts';

/*
 * The following side of a feed: events in, merged records and the cursor that they advance in the same batch (rule R3).
 *
 *     scan      a, b, c        held, and counted as progress: what this server need not send again
 *     caught-up {l: 9}         from here on this store covers {l: 9}; nothing that was scanned was promised before
 *     live      d, step {l: 10}
 *
 * A copy may be told to resync (rule R7). Then what the scan shows replaces what is held, range by range, whatever the
 * stamps, and held records that a range does not show are removed. Until the next caught-up the copy covers nothing. A
 * member never resyncs: what it holds counts, and where no delta can be whole for it, it begins anew with an empty
 * store (rule R8).
 */

export interface ReplicaOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly observer: ReplicationObserver;
  /** For metrics. */
  readonly scope: string;
  readonly filter: Filter;
  /** The name of its progress in the store: a member has one for each peer. Default: a copy's. */
  readonly progressName?: string;
  /** Called with each event that is taken, before anything is awaited. */
  readonly taken?: (event: Changes | CaughtUp) => void;
  /** Set at a member, which follows several others into one store that has a covered vector of its own. */
  readonly member?: MemberReplica;
}

/** What is different where the node is a member itself. */
export interface MemberReplica {
  /** Called just before a commit above this floor: throws to refuse whatever comes from this peer now (rules R8, R22). */
  readonly mayTake: (floor: VersionVector) => void;
  /** Throws to refuse a record that must not be taken from anybody (rule R15). */
  readonly check: (record: Change) => void;
  /** A held record lost against a later one. */
  readonly overwritten: (held: Head, record: Record) => void;
  /** The peer closed a consistent step: what it covers, after all that it sent before (rules R19, R22). */
  readonly told: (vector: VersionVector, kind: 'caught-up' | 'step') => void;
}

export const copyProgressName = 'replica/progress';

type Progress =
  /** Nothing was ever received. */
  | { readonly kind: 'nothing' }
  /** What is held is void: the next stream begins with a resync (rules R7, R21). */
  | { readonly kind: 'void' }
  /** A scan of every record is under way; `resyncs` where it replaces what is held. */
  | { readonly kind: 'scan'; readonly token?: string; readonly resyncs?: true }
  /** Caught up once; `token` belongs to a log scan that broke off. */
  | { readonly kind: 'covered'; readonly token?: string };

export class Replica {
  readonly #options: ReplicaOptions;
  #progress: Progress;
  /** How often the store had been opened again when the progress was read (rule R2). */
  #reopenings: number;
  readonly #voidCheck: VoidCheck;

  private constructor(options: ReplicaOptions, progress: Progress) {
    this.#options = options;
    this.#progress = progress;
    this.#reopenings = options.ledger.reopenings;
    this.#voidCheck = new VoidCheck(options.ledger);
  }

  static async open(options: ReplicaOptions): Promise<Replica> {
    return new Replica(options, await readProgress(options.ledger.store, progressNameOf(options)));
  }

  /** True once all records of the scope were received, ever: from then on the covered vector means something. */
  get hasCaughtUp(): boolean {
    return this.#progress.kind === 'covered';
  }

  /** False while nothing that is held may be shown: a resync is under way, or due since the last commit (rule R23). */
  get isWhole(): boolean {
    return this.hasCaughtUp && !this.#voidCheck.coversVoid;
  }

  /** False once the store was opened again since the stream began: commits that were not synced may be gone (rule R2). */
  get isCurrent(): boolean {
    return this.#options.ledger.reopenings === this.#reopenings;
  }

  async start(): Promise<FollowStart> {
    const { ledger, member } = this.#options;
    if (!this.isCurrent) {
      this.#reopenings = ledger.reopenings;
      this.#progress = await readProgress(ledger.store, progressNameOf(this.#options));
    }
    const progress = this.#progress;
    const { covered } = ledger.state;
    // A member that covers something goes on from there, also with a peer that it never followed, or not to the end.
    if (progress.kind === 'covered' || (member !== undefined && covered.size > 0)) {
      const token = progress.kind === 'covered' || progress.kind === 'scan' ? progress.token : undefined;
      const cursor = ledger.registry.logs.unfold(covered);
      return { kind: 'cursor', cursor, ...(token === undefined ? {} : { token }) };
    }
    switch (progress.kind) {
      case 'nothing':
        return progress;
      case 'void':
        return { kind: 'resync' };
      case 'scan':
        if (progress.token !== undefined) return { kind: 'partial', token: progress.token };
        return progress.resyncs === true ? { kind: 'resync' } : { kind: 'partial', token: 'none' };
      default:
        return unreachable(progress);
    }
  }

  /** A stream has begun at a server whose store is of this generation. */
  opened(generation: string): void {
    this.#voidCheck.opened(generation);
  }

  async apply(event: Resync | Changes | CaughtUp): Promise<void> {
    switch (event.kind) {
      case 'resync':
        return this.#resync();
      case 'changes':
        this.#checkSeals(event);
        this.#options.taken?.(event);
        return this.#changes(event);
      case 'caught-up':
        this.#checkSeals(event);
        this.#options.taken?.(event);
        return this.#caughtUp(event);
      default:
        return unreachable(event);
    }
  }

  /** True if this scan makes void what this copy covers, so that no more of the scan may be taken (rule R23). */
  foreseesVoid(event: Changes): boolean {
    return this.hasCaughtUp && this.#voidCheck.foresees(event);
  }

  /** True where this copy covers or holds anything beyond a seal that it has heard of, or of a void log (rule R23). */
  async holdsVoid(): Promise<boolean> {
    return this.hasCaughtUp && this.#voidCheck.holdsAny();
  }

  /** True where this copy, having just caught up, holds anything of a log that its upstream does not know. */
  async holdsLost(): Promise<boolean> {
    return this.hasCaughtUp && this.#voidCheck.holdsLost();
  }

  /** This copy covers nothing any more, and its next stream begins with a resync, also after a restart (rule R21). */
  async becomeVoid(): Promise<void> {
    const state = { covered: emptyVector, stable: emptyVector };
    const meta = this.#progressMeta({ kind: 'void' });
    const decide = () => ({ state, meta, result: undefined });
    await this.#options.ledger.submit({ keys: [], sync: true, bytes: 0, decide });
    this.#progress = { kind: 'void' };
    this.#voidCheck.reset();
  }

  /** What is synced here; empty until this copy has caught up once. */
  durable(): VersionVector {
    return this.hasCaughtUp ? this.#options.ledger.state.covered : emptyVector;
  }

  /**
   * Ends a stream that began before the store was opened again: its next step would claim commits that were not synced
   * and may be gone. @throws UNAVAILABLE
   */
  checkStore(): void {
    if (this.isCurrent || !holds('R2 streams begin again')) return;
    throw new MeridianError('UNAVAILABLE', 'the store was opened again; the stream begins anew from what it holds', {
      reason: 'store-failed',
    });
  }

  async #resync(): Promise<void> {
    const { ledger, member } = this.#options;
    assert(member === undefined, 'members do not resync');
    // The floor too: it may name logs that nobody has any more, and would keep this node's followers below it for ever.
    const state = { covered: emptyVector, stable: emptyVector, floor: emptyVector };
    await this.#commit([], true, () => ({ state, result: undefined }), { kind: 'scan', resyncs: true });
    // Nothing is judged by void records: seals come anew as well, before all else that the scan shows.
    ledger.registry.clear();
    this.#voidCheck.reset();
  }

  /** For a copy. A member takes the record instead, and its ledger lowers the claim. @throws UNAVAILABLE */
  #checkSeals(event: Changes | CaughtUp): void {
    if (this.#options.member === undefined) checkSeals(this.#options.ledger.registry.logs, event);
  }

  async #changes(event: Changes): Promise<void> {
    if (tellsNothing(event)) return;
    const { observer, clock, scope, member } = this.#options;
    const { range } = event;
    const replacesHeld = range !== undefined && this.#progress.kind === 'scan' && this.#progress.resyncs === true;
    const unshown = replacesHeld && holds('R7 what was not shown goes') ? await this.#unshown(range, event) : [];
    const told = toldIn(event);
    for (const record of event.records) member?.check(record);
    await this.#commit(
      [...told, ...unshown],
      this.#mustSync,
      (view) => {
        const decision = this.#merged(event, view, replacesHeld);
        const removals = unshown.map((held) => view.head(held)).filter((head) => head !== undefined);
        return { ...decision, removals, discards: unshown };
      },
      progressAfter(this.#progress, event),
      event.records.reduce((sum, record) => sum + changeBytes(record), 0),
    );
    this.#voidCheck.arrived(told);
    if (event.step !== undefined) member?.told(event.step.vector, 'step');
    if (event.committedAtMs !== undefined && event.records.length > 0) {
      observer.propagated(scope, clock.wallMs() - event.committedAtMs);
    }
  }

  #merged(event: Changes, view: CommitView, replacesHeld: boolean): Decision<undefined> {
    const puts = event.records.flatMap((change) => {
      assert(change.kind !== 'announcement', 'a copy is sent every value');
      return this.#accepted(change, view, event, replacesHeld);
    });
    const { lost: told } = event;
    const lost = told?.records.filter((each) => this.#isLost(each, told.upTo, view, replacesHeld)) ?? [];
    const seen = holds('R15 what was seen counts') ? puts : [];
    const highWater = seen.reduce((high, put) => laterStamp(high, put.stamp), view.state.highWater);
    const state = event.step === undefined ? {} : this.#stateAfter(event.step, view.state);
    return { puts, lost, state: { ...state, highWater }, result: undefined };
  }

  /** The rules by which a record gets in: R7 (a resync), R18 (dead namespaces), R20 (already covered), then the merge rule. */
  #accepted(record: Record, view: CommitView, { step }: Changes, replacesHeld: boolean): Record[] {
    const { ledger, member } = this.#options;
    const { registry } = ledger;
    if (!this.#isWanted(record)) return [];
    if (replacesHeld && holds('R7 a resync replaces')) return [record];
    const damaged = view.damaged(record);
    if (damaged !== undefined) return this.#healing(record, damaged, view, step);
    const held = view.head(record);
    if (held === undefined) {
      // A tombstone of a namespace counts again: a server that had lost the deletion may have sent data since (R18).
      const isEnd =
        record.kind === 'tombstone' && record.namespace === registryNamespace && holds('R18 an end is taken again');
      const claims = member !== undefined || this.hasCaughtUp;
      const isSuperseded = !isEnd && claims && registry.logs.coversPosition(view.state.covered, record.position);
      return isSuperseded && holds('R20 already covered') ? [] : [record];
    }
    if (this.#countsAgain(record, held)) return [record];
    if (!replaces(record, held) && holds('R11 the merge rule')) {
      if (record.stamp < held.stamp) this.#lost(held, record);
      return [];
    }
    if (record.stamp !== held.stamp) member?.overwritten(held, record);
    return [inPlaceOf(held, record)];
  }

  /** True for a record in the scope and not in a dead namespace (rule R18). */
  #isWanted({ namespace, key }: RecordKey): boolean {
    const { filter, ledger } = this.#options;
    if (!matches(filter, namespace, key)) return false;
    const isDead = namespace !== registryNamespace && ledger.registry.isDead(namespace);
    return !isDead || !holds('R18 nothing comes for a dead namespace');
  }

  /**
   * Whether a record that the server lost replaces what is held here: only if the held one is known to be earlier, and
   * is not the very same one. A member never gives up a record that it can read.
   * @throws DATA_LOSS (`damaged-record`) if it is unknown which is earlier: the stream waits until the record is mended
   */
  #isLost(lost: Lost, upTo: VersionVector, view: CommitView, replacesHeld: boolean): boolean {
    const { ledger, member } = this.#options;
    const { logs } = ledger.registry;
    if (!this.#isWanted(lost)) return false;
    const damaged = view.damaged(lost);
    const head = view.head(lost);
    const held = head?.position ?? damaged?.position;
    if (held !== undefined && isAt(held, lost.position)) return false;
    if (replacesHeld) return true;
    const claims = member !== undefined || this.hasCaughtUp;
    if (head === undefined && damaged === undefined) {
      return !claims || !logs.coversPosition(view.state.covered, lost.position);
    }
    const isLater =
      held === undefined ? logs.covers(upTo, view.state.covered) : (upTo.get(held.log) ?? 0) >= held.sequence;
    if (isLater && (head === undefined || member === undefined)) return true;
    throw damagedRecord(lost);
  }

  /**
   * The same write with a new position: its held position lies beyond a seal and no longer counts (rule R23), or in a log
   * that is not known, and may be lost: no session could be met that was shown it there.
   */
  #countsAgain(record: Record, held: Head): boolean {
    const { logs } = this.#options.ledger.registry;
    const isSame = record.stamp === held.stamp && record.kind === held.kind;
    const isKnown = logs.get(record.position.log) !== undefined;
    const isUncounted = logs.isBeyond(held.position) || (isKnown && logs.get(held.position.log) === undefined);
    return isSame && isUncounted && !logs.isBeyond(record.position);
  }

  /**
   * The held record cannot be read, so the merge rule cannot tell which one is later. The very same write heals it. So
   * does a write later than all that was ever seen here, and the record that a server holds now if it covers the
   * damaged one. A write that is covered here was merged into the damaged record: mending.ts brings back the result.
   * Any other write waits until the record is mended.
   * @throws DATA_LOSS (`damaged-record`)
   */
  #healing(record: Record, damaged: Damaged, { state }: CommitView, step: Step | undefined): Record[] {
    const { member, ledger } = this.#options;
    const { position } = damaged;
    const isSame = position !== undefined && isAt(position, record.position);
    // The server merged what it shows with all that it covers.
    const isMerged =
      position !== undefined && step !== undefined && ledger.registry.logs.coversPosition(step.vector, position);
    if (isMerged) return [record];
    // A copy that claims nothing yet will claim only what the scan tells it.
    const claims = member !== undefined || this.hasCaughtUp;
    if (isSame || !claims || record.stamp > state.highWater) return [record];
    ledger.awaits(damaged);
    if (ledger.registry.logs.coversPosition(state.covered, record.position)) return [];
    throw damagedRecord(record);
  }

  /** Counts a write that lost against another member's write that its own member did not know. */
  #lost(winner: Head, loser: Record): void {
    const { logs } = this.#options.ledger.registry;
    const memberOf = ({ stamp }: Pick<Head, 'stamp'>) => {
      const { log } = stampParts(stamp);
      return logs.get(log)?.member ?? log;
    };
    if (memberOf(winner) !== memberOf(loser)) this.#options.observer.conflictLost(winner.stamp, loser.stamp);
  }

  /** Held records of the range that the event does not show: a resync removes them (rule R7). */
  async #unshown({ after, through }: ScanRange, event: Changes): Promise<RecordKey[]> {
    const shown = new Set(toldIn(event).map(({ namespace, key }) => namespace + key));
    const held: RecordKey[] = [];
    const snapshot = this.#options.ledger.store.snapshot();
    try {
      const isBehind = (key: RecordKey) => through !== undefined && compareRecordKeys(key, through) > 0;
      const look = ({ namespace, key }: RecordKey) => {
        if (!shown.has(namespace + key) && !isBehind({ namespace, key })) held.push({ namespace, key });
      };
      for await (const page of snapshot.records(after === undefined ? {} : { after }, look)) {
        for (const head of page) {
          if (isBehind(head)) return held;
          look(head);
        }
      }
      return held;
    } finally {
      await snapshot.close();
    }
  }

  /** A member computes what is stable itself, from what each other member tells it. */
  #stateAfter(step: Step, { covered, stable }: LedgerState): Partial<LedgerState> {
    const after = { covered: joinVectors(covered, step.vector) };
    if (this.#options.member !== undefined) return after;
    const told = holds('R19 a copy takes what is stable') ? step.stable : step.vector;
    return { ...after, stable: joinVectors(stable, told) };
  }

  /** Nothing leaves a member before it is synced (rule R1): what a peer sent goes on to this member's followers. */
  get #mustSync(): boolean {
    const { member, ledger } = this.#options;
    return member !== undefined && ledger.state.covered.size > 0;
  }

  async #caughtUp(event: CaughtUp): Promise<void> {
    const { member, ledger } = this.#options;
    const { logs } = ledger.registry;
    const resynced = this.#progress.kind === 'scan' && this.#progress.resyncs === true;
    await this.#commit(
      [],
      true,
      ({ state }) => ({
        state: {
          ...this.#stateAfter(event, state),
          // After a resync this node does not know what was purged before it (rule R8).
          floor: holds('R8 the floor is handed on')
            ? joinVectors(joinVectors(state.floor, event.floor), resynced ? logs.unfold(event.vector) : emptyVector)
            : state.floor,
        },
        result: undefined,
      }),
      { kind: 'covered' },
    );
    if (resynced) await this.#voidCheck.tookAnew();
    member?.told(event.vector, 'caught-up');
  }

  /** One batch: the decision, and where the feed stands after it. */
  async #commit(
    keys: readonly RecordKey[],
    sync: boolean,
    decide: (view: CommitView) => Decision<undefined>,
    progress: Progress,
    bytes = 0,
  ): Promise<void> {
    const changed = JSON.stringify(progress) !== JSON.stringify(this.#progress);
    const meta = changed ? this.#progressMeta(progress) : new Map<string, Uint8Array>();
    await this.#options.ledger.submit({
      keys,
      sync,
      bytes,
      decide: (view) => {
        this.checkStore();
        this.#options.member?.mayTake(view.state.floor);
        return { ...decide(view), meta };
      },
    });
    this.#progress = progress;
  }

  #progressMeta(progress: Progress): ReadonlyMap<string, Uint8Array> {
    return new Map([[progressNameOf(this.#options), Buffer.from(JSON.stringify(progress))]]);
  }
}

function progressNameOf({ progressName = copyProgressName }: ReplicaOptions): string {
  return progressName;
}

async function readProgress(store: Pick<Store, 'meta'>, name: string): Promise<Progress> {
  const stored = await store.meta(name);
  return stored === undefined ? { kind: 'nothing' } : (JSON.parse(Buffer.from(stored).toString()) as Progress);
}

/** Where a feed stands once these changes are applied: the token of the page names what follows it. */
function progressAfter(progress: Progress, { token, range, step }: Changes): Progress {
  switch (progress.kind) {
    case 'nothing':
    case 'void':
      return { kind: 'scan', ...(token === undefined ? {} : { token }) };
    case 'scan': {
      // A resync that breaks off before the whole registry was shown begins anew: else a restart would judge by the
      // rest of the old registry.
      const isOfRegistry = progress.resyncs === true && range?.through?.namespace === registryNamespace;
      return token === undefined || isOfRegistry ? progress : { ...progress, token };
    }
    case 'covered':
      // What a scan shows first, of logs, carries no token, and the scan of a stream before may have come far.
      if (token === undefined && step === undefined) return progress;
      return { kind: 'covered', ...(token === undefined ? {} : { token }) };
    default:
      return unreachable(progress);
  }
}

/** A sign of life to a follower that waits for its scan: nothing was taken, and no scan has begun. */
function tellsNothing({ records, lost, token, range, step }: Changes): boolean {
  return records.length === 0 && [lost, token, range, step].every((told) => told === undefined);
}

/** About how many bytes a change adds to a commit. */
function changeBytes(record: Change): number {
  const value =
    record.kind === 'live' ? record.value.byteLength : record.kind === 'announcement' ? record.valueBytes : 0;
  return 128 + record.key.length + value;
}
