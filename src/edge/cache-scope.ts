import type { ScopeStatus } from '../model/cluster.ts';
import { isMeridianError, MeridianError } from '../model/errors.ts';
import {
  type CaughtUp,
  type Change,
  type Changes,
  type FollowStart,
  type Lost,
  type Opened,
  type Resync,
  toldIn,
} from '../model/feed.ts';
import { mapKey, type RecordKey } from '../model/key.ts';
import { merge, replaces } from '../model/merge.ts';
import { registryNamespace } from '../model/namespace.ts';
import { isAt } from '../model/position.ts';
import type { Head, Record } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import type { Bound } from '../model/staleness.ts';
import { laterStamp, type Stamp, topStamp } from '../model/stamp.ts';
import { emptyVector, joinVectors, type VersionVector } from '../model/version-vector.ts';
import { checkSeals } from '../replication/following/check-seals.ts';
import type { FeedSink } from '../replication/following/feed-sink.ts';
import { Observed } from '../replication/following/observed.ts';
import type { Proven, StalenessTracker } from '../replication/following/staleness-tracker.ts';
import { VoidCheck } from '../replication/following/void-check.ts';
import type { CommitView, Decision, Ledger, Proposal } from '../replication/ledger.ts';
import { emptyLedgerState } from '../replication/ledger-state.ts';
import { MemoryCache } from '../replication/memory-cache.ts';
import { removeRecords } from '../replication/remove-records.ts';
import type { Clock } from '../runtime/clock.ts';
import { DiskBound } from './disk-bound.ts';
import type { EdgeObserver } from './observer.ts';
import { type HeldRecord, hasEnded, type Scope, type ScopeListener, scopeStatus } from './scope.ts';

/*
 * The cached scope: what was asked for, in memory over disk, kept true by the feed.
 *
 *     load k      k = 1 at (l, 4)     kept in memory and on disk
 *     feed        k at (l, 9)         with its value: k = 2 takes its place; without (too large): the disk forgets it, and
 *                                     memory keeps 1, marked as superseded, for stale-if-error alone
 *     step        {l: 9}              the cursor moves in the same batch (rule R3): after a restart the entries on disk are
 *                                     as good as before, once the feed has caught up from there
 *
 * Absences that nobody wrote are kept likewise, with the stamp that stands before all others.
 */

/** What the entries are worth. */
type State =
  /** Nothing: what the disk still holds is removed before the next stream begins. */
  | 'void'
  /** Nothing yet: the first scan is under way. If it breaks off, it begins again with an empty disk. */
  | 'filling'
  /** They were true when an earlier run had caught up; how old they are is unknown. */
  | 'stored'
  /** The feed has caught up in this run. */
  | 'live';

/** What memory holds of a key. */
interface CacheEntry {
  readonly record: Record;
  /** Set once the feed named a later stamp without its value: that stamp, and until when the record was the latest. */
  readonly superseded?: { readonly by: Stamp; readonly proven: Proven | undefined };
}

export interface CacheScopeOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly tracker: StalenessTracker;
  readonly listener: ScopeListener;
  readonly edgeObserver: EdgeObserver;
  readonly observer: { propagated(scope: string, elapsedMs: number): void };
  /** Bytes of entries in memory. */
  readonly cacheMemoryBytesMax: number;
  /** Bytes of entries on disk. */
  readonly cacheDiskBytesMax: number;
}

const caughtUpName = 'cache/caught-up';

export class CacheScope implements FeedSink, Scope {
  readonly kind = 'cache';
  readonly ledger: Ledger;
  readonly observed: Observed;
  readonly #options: CacheScopeOptions;
  readonly #memory: MemoryCache<CacheEntry>;
  readonly #disk: DiskBound;
  readonly #voidCheck: VoidCheck;
  #state: State;
  /** How often the store had been opened again when the stream began (rule R2). */
  #reopenings: number;

  private constructor(options: CacheScopeOptions, state: State) {
    const { ledger, edgeObserver, cacheMemoryBytesMax, cacheDiskBytesMax } = options;
    this.#options = options;
    this.ledger = ledger;
    this.observed = new Observed(ledger.registry.logs);
    this.#memory = new MemoryCache(cacheMemoryBytesMax, (n) => edgeObserver.evicted('memory', n));
    this.#disk = new DiskBound(ledger, cacheDiskBytesMax, (name) => this.#memory.has(name), edgeObserver);
    this.#voidCheck = new VoidCheck(ledger);
    this.#state = state;
    this.#reopenings = ledger.reopenings;
  }

  static async open(options: CacheScopeOptions): Promise<CacheScope> {
    const wasCaughtUp = (await options.ledger.store.meta(caughtUpName)) !== undefined;
    const scope = new CacheScope(options, wasCaughtUp ? 'stored' : 'void');
    await scope.#disk.open();
    return scope;
  }

  get hasCaughtUp(): boolean {
    return this.#hasCaughtUp && !this.#voidCheck.coversVoid;
  }

  /** True even if everything turns out to be void, until that is acted on. */
  get #hasCaughtUp(): boolean {
    return this.#state === 'stored' || this.#state === 'live';
  }

  async start(): Promise<FollowStart> {
    const isBrokenOff = !this.#hasCaughtUp && holds('caches: a broken first scan is forgotten');
    if (isBrokenOff || (await this.#voidCheck.holdsAny())) await this.#forgetAll();
    if (this.#reopenings !== this.ledger.reopenings) {
      this.#reopenings = this.ledger.reopenings;
      // The proven bound spoke of commits that may be gone, and so did the count of the disk.
      this.#options.tracker.reset();
      await this.#disk.measure();
    }
    if (!this.#hasCaughtUp) return { kind: 'nothing' };
    return { kind: 'cursor', cursor: this.ledger.registry.logs.unfold(this.ledger.state.covered) };
  }

  opened({ clusterId, generation }: Opened): Promise<void> {
    this.#voidCheck.opened(generation);
    return this.#options.listener.joined(clusterId);
  }

  /** A cache acknowledges nothing: it may forget whatever it holds. */
  durable(): VersionVector {
    return emptyVector;
  }

  /** @throws UNAVAILABLE if the store was opened again: the stream's next step would claim what may be gone (R2) */
  checkEcho(): void {
    if (this.#reopenings === this.ledger.reopenings || !holds('R2 streams begin again')) return;
    throw new MeridianError('UNAVAILABLE', 'the store was opened again; the stream begins anew from what it holds', {
      reason: 'store-failed',
    });
  }

  closed(): void {}

  bound(): Bound | undefined {
    const isCurrent = this.#reopenings === this.ledger.reopenings;
    return this.#state === 'live' && this.hasCaughtUp && isCurrent ? this.#options.tracker.bound() : undefined;
  }

  peek(key: RecordKey): HeldRecord | undefined {
    if (!this.hasCaughtUp) return undefined;
    const entry = this.#memory.get(mapKey(key.namespace, key.key));
    return entry && this.#held(entry);
  }

  async lookup(key: RecordKey): Promise<HeldRecord | undefined> {
    if (!this.hasCaughtUp) return undefined;
    const name = mapKey(key.namespace, key.key);
    const entry = this.#memory.get(name);
    if (entry !== undefined) return this.#held(entry);
    const { generation } = this.observed;
    const inFlight = this.observed.begin(name);
    const record = await this.#read(key).finally(() => this.observed.end(name, inFlight));
    // While the disk was read, the feed may have put something later into memory.
    const meanwhile = this.#memory.get(name);
    if (meanwhile !== undefined) return this.#held(meanwhile);
    if (record === undefined || generation !== this.observed.generation || !this.hasCaughtUp) return undefined;
    if (inFlight.latest !== undefined && record.stamp < inFlight.latest) return undefined;
    this.#memory.set(name, { record });
    return this.#held({ record });
  }

  async install(record: Record): Promise<void> {
    const { generation } = this.observed;
    await this.#submit({
      keys: [record],
      sync: false,
      bytes: 256 + (record.kind === 'live' ? record.value.byteLength : 0),
      decide: (view) => {
        if (generation !== this.observed.generation) return { result: undefined };
        return this.#decideInstall(record, view);
      },
    });
    await this.#disk.makeRoom();
  }

  keepDiskBound(everyMs: number, signal: AbortSignal): Promise<void> {
    return this.#disk.run(this.#options.clock, everyMs, signal);
  }

  /** Others changed records of this cache's store. */
  changedElsewhere(): void {
    this.#disk.changed();
  }

  async apply(event: Resync | Changes | CaughtUp): Promise<void> {
    if (event.kind === 'resync') return this.#forgetAll();
    if (event.kind === 'changes' && this.#hasCaughtUp && this.#voidCheck.foresees(event)) await this.#beginAnew();
    checkSeals(this.ledger.registry.logs, event);
    // Shown before anything is awaited, so that no load that ends meanwhile passes for the latest.
    this.observed.show(event);
    await (event.kind === 'changes' ? this.#changes(event) : this.#caughtUp(event));
    const isOfRegistry =
      event.kind === 'changes' && event.records.some(({ namespace }) => namespace === registryNamespace);
    if (isOfRegistry || event.kind === 'caught-up') this.#options.listener.heard();
    if (!this.#hasCaughtUp) return;
    const isLost = event.kind === 'caught-up' && (await this.#voidCheck.holdsLost());
    if (isLost || (await this.#voidCheck.holdsAny())) await this.#beginAnew();
  }

  async #beginAnew(): Promise<never> {
    await this.#forgetAll();
    throw new MeridianError('UNAVAILABLE', 'a log has ended before what this cache has of it: it begins anew', {
      reason: 'begins-anew',
    });
  }

  async repair(key: RecordKey, held: Record | undefined): Promise<boolean> {
    const name = mapKey(key.namespace, key.key);
    const decide = (view: CommitView) => {
      const head = view.head(key);
      if (head === undefined || head.stamp !== held?.stamp || head.kind !== held.kind) return { result: false };
      this.#memory.delete(name);
      this.#disk.replaced(head, undefined);
      return { removals: [head], meta: this.#disk.meta(), silent: true, result: true };
    };
    const isRepaired = await this.ledger.submit({ keys: [key], sync: false, bytes: 0, decide });
    // What the audit looks at is the disk: memory must not bring back what a read found there before this commit.
    if (isRepaired) this.#outdate(name, topStamp, () => true);
    return isRepaired;
  }

  /** Also reports the sizes to metrics: status is asked more rarely than they change. */
  async status(): Promise<ScopeStatus> {
    const { edgeObserver } = this.#options;
    edgeObserver.cacheSized('memory', this.#memory.size, this.#memory.bytes);
    edgeObserver.cacheSized('disk', this.#disk.entries, this.#disk.bytes);
    return { ...scopeStatus(this), records: this.#disk.entries, bytes: this.#disk.bytes };
  }

  async #changes(event: Changes): Promise<void> {
    if (this.#state === 'void') this.#state = 'filling';
    await this.#fetchSuperseded(event.records);
    const keys = toldIn(event);
    await this.#submit({
      keys,
      sync: false,
      bytes: keys.length * 256,
      decide: (view) => {
        this.checkEcho();
        return this.#decideChanges(event, view);
      },
    });
    this.#voidCheck.arrived(event.records);
    // A read of the disk that began before this commit saw what was there before it.
    for (const { namespace, key, stamp } of event.records) {
      this.#outdate(mapKey(namespace, key), stamp, ({ record }) => record.stamp < stamp);
    }
    for (const { namespace, key, position } of event.lost?.records ?? []) {
      this.#outdate(mapKey(namespace, key), topStamp, ({ record }) => !isAt(record.position, position));
    }
    if (event.committedAtMs !== undefined && event.records.length > 0) {
      this.#options.observer.propagated('cache', this.#options.clock.wallMs() - event.committedAtMs);
    }
  }

  /** If the commit fails, the disk's count includes what is not there. */
  #submit(proposal: Proposal<undefined>): Promise<undefined> {
    return this.ledger.submit(proposal).catch((error: unknown) => {
      this.#disk.changed();
      throw error;
    });
  }

  /** What is on disk. A damaged record counts as evicted: its reader loads it again. */
  #read(key: RecordKey): Promise<Record | undefined> {
    return this.ledger.store.read(key).catch((error: unknown) => {
      if (isMeridianError(error, 'DATA_LOSS')) return undefined;
      throw error;
    });
  }

  #outdate(name: string, stamp: Stamp, isEarlier: (entry: CacheEntry) => boolean): void {
    this.observed.name(name, stamp);
    const entry = this.#memory.peek(name);
    if (entry !== undefined && entry.superseded === undefined && isEarlier(entry)) this.#memory.delete(name);
  }

  /** A record that the feed supersedes without a value goes from disk; memory keeps its value for stale-if-error. */
  async #fetchSuperseded(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      if (change.kind !== 'announcement') continue;
      const name = mapKey(change.namespace, change.key);
      const stored = this.#memory.has(name) ? undefined : await this.#read(change);
      const entry = this.#memory.peek(name); // A load may have brought a later one meanwhile.
      const record = entry?.record ?? stored;
      if (record === undefined || record.stamp >= change.stamp) continue;
      const { superseded = { by: change.stamp, proven: this.#options.tracker.proven() } } = entry ?? {};
      // Another upstream may name an earlier stamp than was named before.
      this.#memory.set(name, { record, superseded: { ...superseded, by: laterStamp(superseded.by, change.stamp) } });
    }
  }

  async #caughtUp(event: CaughtUp): Promise<void> {
    await this.ledger.submit({
      keys: [],
      sync: true,
      bytes: 0,
      decide: ({ state }) => {
        this.checkEcho();
        const { covered, stable, floor } = state;
        const after = {
          covered: joinVectors(covered, event.vector),
          stable: joinVectors(stable, event.stable),
          floor: joinVectors(floor, event.floor),
        };
        return { state: after, meta: new Map([[caughtUpName, Buffer.from('1')]]), silent: true, result: undefined };
      },
    });
    if (!this.#hasCaughtUp) {
      // A cache that starts from nothing is not shown earlier writes: no load that began before may be kept.
      this.observed.void();
      await this.#voidCheck.tookAnew();
    }
    this.#state = 'live';
  }

  /** Forgets everything, and first the mark that vouches for it: a crash half-way leaves nothing that counts. */
  async #forgetAll(): Promise<void> {
    this.#state = 'void';
    // What fills the cache next may come from a server that knows less, with the same root.
    this.#options.tracker.reset();
    this.observed.clear();
    this.#voidCheck.reset();
    this.#memory.clear();
    const { ledger } = this;
    ledger.registry.clear(); // Before its records are removed: otherwise each removal would count as a namespace's end.
    const meta = new Map([[caughtUpName, undefined]]);
    const decide = () => ({ state: emptyLedgerState, meta, silent: true, result: undefined });
    await ledger.submit({ keys: [], sync: true, bytes: 0, decide });
    await removeRecords(ledger, {}, { sync: true });
    ledger.registry.clear();
    await this.#disk.measure();
    this.observed.clear(); // Also what was shown, or began, meanwhile.
  }

  #held(entry: CacheEntry): HeldRecord | undefined {
    const { record, superseded } = entry;
    if (record.position.sequence > 0 && hasEnded(this.ledger, record.position)) return undefined;
    const bound = this.bound();
    if (superseded === undefined || !holds('caches: what is superseded is past'))
      return { record, superseded: false, bound };
    // Whatever root the feed has by now: the record was proven against the root of that time.
    const { proven } = superseded;
    return { record, superseded: true, bound: proven && bound && this.#options.tracker.boundOf(proven) };
  }

  /** Keeps nothing if the namespace is dead, or something later is known. */
  #decideInstall(record: Record, view: CommitView): Decision<undefined> {
    const { registry } = this.ledger;
    const isPlaced = record.position.sequence > 0;
    if (registry.isDead(record.namespace) || (isPlaced && hasEnded(this.ledger, record.position))) {
      return { result: undefined };
    }
    const name = mapKey(record.namespace, record.key);
    const inMemory = this.#memory.get(name);
    const superseded = inMemory?.superseded;
    if (superseded !== undefined && record.stamp < superseded.by) return { result: undefined };
    if (superseded === undefined && inMemory !== undefined && record.stamp < inMemory.record.stamp) {
      return { result: undefined };
    }
    const held = view.head(record);
    if (held !== undefined && !replaces(record, held) && superseded === undefined) return { result: undefined };
    this.#memory.set(name, { record });
    this.#disk.replaced(held, record);
    return { puts: [record], meta: this.#disk.meta(), silent: true, result: undefined };
  }

  /** The registry is kept whole. A held key takes the new value or is removed. Other keys do not concern a cache. */
  #decideChanges({ records, lost, step }: Changes, view: CommitView): Decision<undefined> {
    const puts: Record[] = [];
    const removals: Head[] = [];
    for (const change of records) {
      const held = view.head(change);
      if (change.namespace === registryNamespace) {
        if (change.kind !== 'announcement' && replaces(change, held)) puts.push(change);
        continue;
      }
      const taken = this.#take(change, held);
      if (taken === 'removed' && held !== undefined) removals.push(held);
      else if (taken !== undefined && taken !== 'removed') puts.push(taken);
    }
    const discards = lost?.records.filter((each) => {
      const held = this.#forget(each, view);
      if (held !== undefined) removals.push(held);
      return view.damaged(each) !== undefined;
    });
    const decision = {
      puts,
      removals,
      discards: discards ?? [],
      meta: this.#disk.meta(),
      silent: true,
      result: undefined,
    };
    if (step === undefined) return decision;
    const { covered, stable } = view.state;
    const state = { covered: joinVectors(covered, step.vector), stable: joinVectors(stable, step.stable) };
    return { ...decision, state };
  }

  /** A record lost upstream removes an earlier one here; the very record is kept. Returns what to remove from disk. */
  #forget({ position, ...key }: Lost, view: CommitView): Head | undefined {
    const name = mapKey(key.namespace, key.key);
    const head = view.head(key);
    const held = this.#memory.peek(name)?.record ?? head;
    if (held !== undefined && isAt(held.position, position)) return undefined;
    this.#memory.delete(name);
    if (head !== undefined) this.#disk.replaced(head, undefined);
    return head;
  }

  /** What becomes of a held key: the record that replaces it; `removed`; or undefined, it stays. */
  #take(change: Change, held: Head | undefined): Record | 'removed' | undefined {
    const name = mapKey(change.namespace, change.key);
    if (this.ledger.registry.isDead(change.namespace)) {
      this.#memory.delete(name); // A scan may show it again after it was removed here (rule R18).
      return undefined;
    }
    const inMemory = this.#memory.peek(name);
    const latest = inMemory?.superseded?.by ?? held?.stamp ?? inMemory?.record.stamp;
    if (latest === undefined) return undefined;
    if (change.kind === 'announcement') {
      // Installed since its value was looked for: memory does not know that it is superseded, and must not vouch for
      // it.
      if (inMemory?.superseded === undefined && change.stamp > latest) this.#memory.delete(name);
      if (held === undefined || held.stamp >= change.stamp) return undefined;
      this.#disk.replaced(held, undefined);
      return 'removed';
    }
    if (change.stamp < latest) return undefined;
    const record = inMemory === undefined ? change : merge<Record>(change, inMemory.record);
    this.#memory.set(name, { record });
    this.#disk.replaced(held, record);
    return record;
  }
}
