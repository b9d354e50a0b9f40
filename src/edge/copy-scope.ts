import type { ScopeStatus } from '../model/cluster.ts';
import { MeridianError } from '../model/errors.ts';
import type { CaughtUp, Changes, FollowStart, Opened, Resync } from '../model/feed.ts';
import type { Filter } from '../model/filter.ts';
import type { RecordKey } from '../model/key.ts';
import { replaces } from '../model/merge.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { Record } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import type { Bound } from '../model/staleness.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { FeedSink } from '../replication/following/feed-sink.ts';
import { Observed } from '../replication/following/observed.ts';
import { Replica, type ReplicaOptions } from '../replication/following/replica.ts';
import type { StalenessTracker } from '../replication/following/staleness-tracker.ts';
import type { Ledger } from '../replication/ledger.ts';
import { unlessDamaged } from '../replication/with-damaged.ts';
import { PendingWrites } from './pending-writes.ts';
import { type HeldRecord, hasEnded, type Scope, type ScopeListener, scopeStatus } from './scope.ts';

export interface CopyScopeOptions extends Omit<ReplicaOptions, 'scope' | 'taken'> {
  readonly tracker: StalenessTracker;
  readonly listener: ScopeListener;
}

/** What a copy tells the relay that serves its followers. */
export interface CopyFollowers {
  /** The copy covers nothing now: followers wait until it has caught up, and earlier scans are void (rule R21). */
  readonly voided: () => Promise<void>;
  readonly caughtUp: () => void;
}

/** Bytes of pending writes: what is written through an edge within some round trips. */
const pendingBytesMax = 32 * 1024 * 1024;

/** The copied scope: every record of the filter, once the feed has caught up. */
export class CopyScope implements FeedSink, Scope {
  readonly kind = 'copy';
  readonly ledger: Ledger;
  readonly filter: Filter;
  readonly observed: Observed;
  /** Set by the relay that serves it. */
  followers: CopyFollowers = { voided: async () => {}, caughtUp: () => {} };
  readonly #tracker: StalenessTracker;
  readonly #listener: ScopeListener;
  readonly #replica: Replica;
  readonly #pending: PendingWrites;

  private constructor({ ledger, filter, tracker, listener }: CopyScopeOptions, replica: Replica) {
    this.ledger = ledger;
    this.filter = filter;
    this.observed = new Observed(ledger.registry.logs);
    this.#tracker = tracker;
    this.#listener = listener;
    this.#replica = replica;
    this.#pending = new PendingWrites(ledger, pendingBytesMax);
  }

  static async open(options: CopyScopeOptions): Promise<CopyScope> {
    const replica = await Replica.open({
      ...options,
      scope: 'copy',
      taken: (event) => scope.observed.show(event),
    });
    const scope = new CopyScope(options, replica);
    return scope;
  }

  get hasCaughtUp(): boolean {
    return this.#replica.isWhole;
  }

  start(): Promise<FollowStart> {
    // The proven bound spoke of commits that may be gone.
    if (!this.#replica.isCurrent) this.#tracker.reset();
    return this.#replica.start();
  }

  opened({ clusterId, generation }: Opened): Promise<void> {
    this.#replica.opened(generation);
    return this.#listener.joined(clusterId);
  }

  durable(): VersionVector {
    return this.#replica.durable();
  }

  checkEcho(): void {
    this.#replica.checkStore();
  }

  closed(): void {}

  bound(): Bound | undefined {
    return this.hasCaughtUp ? this.#ownBound() : undefined;
  }

  /** For a copy that has caught up. */
  #ownBound(): Bound | undefined {
    return this.#replica.isCurrent ? this.#tracker.bound() : undefined;
  }

  async apply(event: Resync | Changes | CaughtUp): Promise<void> {
    if (event.kind === 'changes' && this.#replica.foreseesVoid(event)) await this.#beginAnew();
    if (event.kind === 'resync') await this.#void(() => this.#replica.apply(event));
    else await this.#replica.apply(event);
    if (event.kind === 'changes') this.#pending.overtake(event);
    if (event.kind !== 'changes' || event.records.some(isOfRegistry)) this.#listener.heard();
    await this.#checkVoid(event.kind === 'caught-up');
    if (event.kind === 'caught-up') this.followers.caughtUp();
  }

  peek(key: RecordKey): HeldRecord | undefined {
    if (!this.hasCaughtUp) return undefined;
    const hot = this.ledger.peek(key);
    return hot && this.#held(hot.record, this.#pending.get(key), this.#ownBound());
  }

  async lookup(key: RecordKey): Promise<HeldRecord | undefined> {
    if (!this.hasCaughtUp && holds('R17 truth before service')) return undefined;
    // Proven for the moment before the read, so the bound grows by the time that the read takes.
    const proven = this.bound() && this.#tracker.proven();
    // Read first: once the feed covers a pending write, the store has it too.
    const pending = this.#pending.get(key);
    const stored = await this.ledger.read(key).catch(unlessDamaged);
    if (stored === 'damaged') return undefined; // The upstream knows it, and mending.ts asks for it.
    if (this.ledger.isClosed) return undefined; // The scopes were opened anew, perhaps over an erased store.
    if (!this.hasCaughtUp && holds('R17 truth before service')) return undefined;
    return this.#held(stored, pending, proven && this.#tracker.boundOf(proven));
  }

  #held(stored: Record | undefined, pending: Record | undefined, bound: Bound | undefined): HeldRecord | undefined {
    const record = pending !== undefined && replaces(pending, stored) ? pending : stored;
    if (record !== undefined && hasEnded(this.ledger, record.position)) return undefined;
    return { record, superseded: false, bound };
  }

  /** A copy keeps no absence whose write is not known: it knows as much by itself. */
  async install(record: Record): Promise<void> {
    const { registry } = this.ledger;
    if (record.position.sequence > 0 && !registry.isDead(record.namespace)) this.#pending.set(record);
  }

  repair(key: RecordKey, held: Record | undefined, found: Record | undefined): Promise<boolean> {
    return this.ledger.submit({
      keys: [key],
      sync: false,
      bytes: found?.kind === 'live' ? found.value.byteLength : 0,
      decide: (view) => {
        const head = view.head(key);
        const changed = head?.stamp !== held?.stamp || head?.kind !== held?.kind;
        if (changed || this.ledger.registry.isDead(key.namespace)) return { result: false };
        if (found !== undefined) return { puts: [found], result: true };
        return head === undefined ? { result: false } : { removals: [head], silent: true, result: true };
      },
    });
  }

  async status(): Promise<ScopeStatus> {
    return { ...scopeStatus(this), bytes: await this.ledger.store.approximateBytes() };
  }

  /** Rule R23. @throws UNAVAILABLE if anything held or covered lies beyond a log's end: the next stream resyncs */
  async #checkVoid(hasJustCaughtUp: boolean): Promise<void> {
    const isVoid = (await this.#replica.holdsVoid()) || (hasJustCaughtUp && (await this.#replica.holdsLost()));
    if (isVoid) await this.#beginAnew();
  }

  async #beginAnew(): Promise<never> {
    await this.#void(() => this.#replica.becomeVoid());
    this.#tracker.reset();
    throw new MeridianError('UNAVAILABLE', 'a log has ended before what this copy has of it: it is taken anew', {
      reason: 'begins-anew',
    });
  }

  /** What was shown, or began, before this may be of a log that is lost. */
  async #void(become: () => Promise<void>): Promise<void> {
    await this.followers.voided();
    await become();
    this.observed.clear();
    this.#pending.clear();
  }
}

function isOfRegistry({ namespace }: Pick<Record, 'namespace'>): boolean {
  return namespace === registryNamespace;
}
