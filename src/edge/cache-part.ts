import type { PartStatus } from '../model/cluster.ts';
import { cursorOf } from '../model/epoch.ts';
import { MeridianError } from '../model/errors.ts';
import type { CaughtUp, Change, Changes, FollowStart, Opened, Resync } from '../model/feed.ts';
import { mapKey, type RecordKey } from '../model/key.ts';
import type { Record } from '../model/record.ts';
import type { Bound } from '../model/staleness.ts';
import { emptyVector, type VersionVector } from '../model/version-vector.ts';
import { Telling, type Told } from '../replication/check-told.ts';
import type { FeedSink } from '../replication/feed-sink.ts';
import { holdsBeyondFinal } from '../replication/holds-beyond-final.ts';
import type { Ledger } from '../replication/ledger.ts';
import { lostLives } from '../replication/lost-lives.ts';
import type { CommitView } from '../replication/proposal.ts';
import type { StalenessTracker } from '../replication/staleness-tracker.ts';
import { StoreLife } from '../replication/store-life.ts';
import type { Clock } from '../runtime/clock.ts';
import { decideCaughtUp, decideChanges, decideInstall } from './cache-changes.ts';
import { type Cached, forgetAll, forgetLives, livesUnheard } from './cache-forgetting.ts';
import { DiskBound } from './disk-bound.ts';
import { type CacheEntry, MemoryCache } from './memory-cache.ts';
import type { EdgeObserver } from './observer.ts';
import { Flights, type HeldRecord, type Part, partStatus } from './part.ts';
import { Shown } from './shown.ts';

export interface CachePartOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly tracker: StalenessTracker;
  readonly edgeObserver: EdgeObserver;
  readonly observer: { propagated(part: string, elapsedMs: number): void };
  /** Bytes of entries in memory. */
  readonly cacheMemoryBytesMax: number;
  /** Bytes of entries on disk. */
  readonly cacheDiskBytesMax: number;
}

const caughtUpName = 'cache/caught-up';

/**
 * The cached part: what was asked for, in memory over disk, kept true by the feed. A change of a key that is held
 * either brings the new value or marks what is held as superseded; the cursor moves in the same batch (rule R3), so
 * that after a restart the entries on disk are as good as before, once the feed has caught up from that cursor.
 */
export class CachePart implements FeedSink, Part {
  readonly kind = 'cache';
  readonly ledger: Ledger;
  readonly flights = new Flights();
  readonly #options: CachePartOptions;
  readonly #memory: MemoryCache;
  readonly #disk: DiskBound;
  #caughtUpBefore: boolean;
  #caughtUpNow = false;
  readonly #shown: Shown;
  #generation = 0;
  /** Until the openings are heard of that took the place of what goes. */
  #isForgetting = false;
  /** What the disk holds is vouched for by nothing: a first scan or a forgetting was broken off. It goes first. */
  #unvouched: boolean;
  /** In which the stream that is applied began. */
  readonly #life: StoreLife;
  readonly #telling: Telling;

  private constructor(options: CachePartOptions, caughtUpBefore: boolean) {
    const { ledger, edgeObserver, cacheMemoryBytesMax, cacheDiskBytesMax } = options;
    this.#options = options;
    this.ledger = ledger;
    this.#life = new StoreLife(ledger);
    this.#shown = new Shown(ledger, this.flights);
    this.#telling = new Telling(ledger, {
      isOrigin: false,
      claims: () => this.#caughtUpBefore,
      beginAnew: () => {
        this.#unvouched = true;
      },
    });
    const isVoid = ({ position }: Record) => ledger.registry.membership.isBeyondFinal(position);
    this.#memory = new MemoryCache(cacheMemoryBytesMax, (n) => edgeObserver.evicted('memory', n), isVoid);
    this.#disk = new DiskBound(ledger, cacheDiskBytesMax, (name) => this.#memory.has(name), edgeObserver);
    this.#caughtUpBefore = caughtUpBefore;
    this.#unvouched = !caughtUpBefore;
  }

  static async open(options: CachePartOptions): Promise<CachePart> {
    const part = new CachePart(options, (await options.ledger.store.meta(caughtUpName)) !== undefined);
    await part.#disk.open();
    return part;
  }

  get hasCaughtUp(): boolean {
    return this.#caughtUpBefore;
  }

  get mayInstall(): boolean {
    return this.#caughtUpBefore && !this.#isForgetting;
  }

  async start(): Promise<FollowStart> {
    if (this.#unvouched || (await holdsBeyondFinal(this.ledger))) await this.#forgetAll();
    if (this.#life.renew()) {
      // What was proven spoke of commits that may be gone.
      this.#options.tracker.reset();
      await this.#disk.measure(); // What was counted may be gone.
    }
    if (!this.#caughtUpBefore) return { kind: 'nothing' };
    const { covered, epochs } = this.ledger.state;
    return { kind: 'cursor', cursor: cursorOf(covered, epochs) };
  }

  async opened({ node }: Opened): Promise<void> {
    this.#telling.opened(node);
  }

  durable(): VersionVector {
    return emptyVector;
  }

  checkStore(): void {
    this.#life.check();
  }

  shown(): VersionVector {
    return this.#shown.vector;
  }

  generation(): number {
    return this.#generation;
  }

  bound(): Bound | undefined {
    return this.#caughtUpNow && this.#life.isCurrent ? this.#options.tracker.bound() : undefined;
  }

  async lookup(key: RecordKey): Promise<HeldRecord | undefined> {
    if (!this.#caughtUpBefore) return undefined;
    const name = mapKey(key.namespace, key.key);
    const entry = this.#memory.get(name);
    if (entry !== undefined) return this.#held(entry);
    const generation = this.#generation;
    const flight = this.flights.begin(name);
    const record = await this.ledger.store.read(key).finally(() => this.flights.end(name, flight));
    // While the disk was read the feed may have spoken: what it left in memory is later.
    const meanwhile = this.#memory.get(name);
    if (meanwhile !== undefined) return this.#held(meanwhile);
    if (record === undefined || generation !== this.#generation || this.#isForgetting) return undefined;
    if (flight.latest !== undefined && record.stamp < flight.latest) return undefined;
    this.#memory.set(name, { record });
    return this.#held({ record });
  }

  async install(record: Record): Promise<void> {
    const generation = this.#generation;
    await this.ledger.submit({
      keys: [record],
      sync: false,
      bytes: 256 + (record.kind === 'live' ? record.value.byteLength : 0),
      decide: (view) => {
        if (generation !== this.#generation) return { result: undefined };
        return decideInstall(record, view, { ...this.#cached, registry: this.ledger.registry });
      },
    });
    await this.#disk.trim();
  }

  keepDiskBound(everyMs: number, signal: AbortSignal): Promise<void> {
    return this.#disk.run(this.#options.clock, everyMs, signal);
  }

  async apply(event: Resync | Changes | CaughtUp): Promise<void> {
    if (event.kind === 'resync') return this.#forgetAll();
    const { told, taken } = this.#telling.check(event);
    try {
      await this.#hear(told);
      await (taken.kind === 'changes' ? this.#changes(taken) : this.#caughtUp(taken));
    } finally {
      this.#isForgetting = false;
    }
  }

  mend(key: RecordKey, held: Record | undefined): Promise<boolean> {
    const decide = (view: CommitView) => {
      const head = view.head(key);
      if (head === undefined || head.stamp !== held?.stamp || head.kind !== held.kind) return { result: false };
      this.#memory.delete(mapKey(key.namespace, key.key));
      this.#disk.replaced(head, undefined);
      return { removals: [head], meta: this.#disk.meta(), silent: true, result: true };
    };
    return this.ledger.submit({ keys: [key], sync: false, bytes: 0, decide });
  }

  /** Tells the sizes to whoever measures too: what they are is asked more rarely than it changes. */
  async status(): Promise<PartStatus> {
    const { edgeObserver } = this.#options;
    edgeObserver.cacheSized('memory', this.#memory.size, this.#memory.bytes);
    edgeObserver.cacheSized('disk', this.#disk.entries, this.#disk.bytes);
    return { ...partStatus(this), records: this.#disk.entries, bytes: this.#disk.bytes };
  }

  get #cached(): Cached {
    return { ledger: this.ledger, memory: this.#memory, disk: this.#disk };
  }

  async #hear({ epochs }: Told): Promise<void> {
    const lost = lostLives(this.ledger.state, epochs);
    const lives = [...lost, ...livesUnheard(this.ledger.state, epochs)];
    if (lives.length === 0) return;
    this.#generation++;
    this.#isForgetting = true;
    const forgotten = await forgetLives(this.#cached, lives);
    this.#generation++; // A look that began meanwhile may have seen what is gone by now.
    this.#shown.lose(lost);
    if (forgotten) return;
    await this.#forgetAll();
    throw new MeridianError('UNAVAILABLE', 'a part of the registry was lost with a disk', { reason: 'begins-anew' });
  }

  async #changes(event: Changes): Promise<void> {
    // Told before anything is awaited, so that no load that ends meanwhile is taken for the latest.
    this.#shown.show(event);
    this.#unvouched ||= !this.#caughtUpBefore;
    await this.#fetchSuperseded(event.records);
    await this.ledger.submit({
      keys: event.records,
      sync: false,
      bytes: event.records.length * 256,
      decide: (view) => {
        this.checkStore();
        return decideChanges(event, view, { ...this.#cached, registry: this.ledger.registry });
      },
    });
    // A look at the disk that began before this commit has seen what was there before it.
    for (const change of event.records) this.#outdate(change);
    if (event.committedAtMs !== undefined && event.records.length > 0) {
      this.#options.observer.propagated('cache', this.#options.clock.wallMs() - event.committedAtMs);
    }
  }

  #outdate(change: Change): void {
    const name = mapKey(change.namespace, change.key);
    this.flights.named(name, change.stamp);
    const entry = this.#memory.peek(name);
    if (entry !== undefined && entry.superseded === undefined && entry.record.stamp < change.stamp) {
      this.#memory.delete(name);
    }
  }

  /** What the feed supersedes without a value goes from disk, but its value is kept in memory for stale-if-error. */
  async #fetchSuperseded(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      if (change.kind !== 'announcement') continue;
      const name = mapKey(change.namespace, change.key);
      const entry = this.#memory.peek(name);
      const record = entry?.record ?? (await this.ledger.store.read(change));
      if (record === undefined || record.stamp >= change.stamp) continue;
      const bound = this.#options.tracker.bound();
      const proven = bound && { asOfMs: this.#options.clock.monotonicMs() - bound.boundMs, root: bound.root };
      this.#memory.set(name, {
        record,
        superseded: { by: change.stamp, proven: entry?.superseded === undefined ? proven : entry.superseded.proven },
      });
    }
  }

  async #caughtUp(event: CaughtUp): Promise<void> {
    this.#shown.join(event.vector);
    await this.ledger.submit({
      keys: [],
      sync: true,
      bytes: 0,
      decide: (view) => {
        this.checkStore();
        return { ...decideCaughtUp(event, view), meta: new Map([[caughtUpName, Buffer.from('1')]]) };
      },
    });
    // A cache that starts from nothing is not shown what was written before: no load that began earlier may be kept.
    if (!this.#caughtUpBefore) this.#generation++;
    this.#unvouched = false;
    this.#caughtUpBefore = true;
    this.#caughtUpNow = true;
  }

  async #forgetAll(): Promise<void> {
    this.#unvouched = true;
    this.#caughtUpBefore = false;
    this.#caughtUpNow = false;
    this.#generation++;
    await forgetAll(this.#cached, caughtUpName);
    this.#shown.clear();
    this.#unvouched = false;
  }

  #held(entry: CacheEntry): HeldRecord {
    const bound = this.bound();
    if (entry.superseded === undefined) return { record: entry.record, superseded: false, bound };
    // Whatever the feed's root is by now: it was proven against the one that it had then.
    const { proven } = entry.superseded;
    const aged = proven && bound && { boundMs: this.#options.clock.monotonicMs() - proven.asOfMs, root: proven.root };
    return { record: entry.record, superseded: true, bound: aged };
  }
}
