import type { PartStatus } from '../model/cluster.ts';
import type { Epochs } from '../model/epoch.ts';
import type { CaughtUp, Changes, FollowStart, Opened, Resync } from '../model/feed.ts';
import type { Filter } from '../model/filter.ts';
import type { RecordKey } from '../model/key.ts';
import { replaces } from '../model/merge.ts';
import type { Record } from '../model/record.ts';
import type { Bound } from '../model/staleness.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { FeedSink } from '../replication/feed-sink.ts';
import type { Ledger } from '../replication/ledger.ts';
import { lostLives } from '../replication/lost-lives.ts';
import { Replica, type ReplicaOptions } from '../replication/replica.ts';
import type { StalenessTracker } from '../replication/staleness-tracker.ts';
import type { Clock } from '../runtime/clock.ts';
import { Overlay } from './overlay.ts';
import { Flights, type HeldRecord, type Part, partStatus } from './part.ts';
import { Shown } from './shown.ts';

export interface CopyPartOptions extends Omit<ReplicaOptions, 'part' | 'onResync' | 'onTaken'> {
  readonly tracker: StalenessTracker;
}

/** Bytes of what is held ahead of the feed: what is written through an edge within some round trips. */
const overlayBytesMax = 32 * 1024 * 1024;

/** The copied part: every record of the filter, once the feed has caught up. */
export class CopyPart implements FeedSink, Part {
  readonly kind = 'copy';
  readonly ledger: Ledger;
  readonly filter: Filter;
  readonly flights = new Flights();
  readonly #tracker: StalenessTracker;
  readonly #clock: Clock;
  readonly #replica: Replica;
  readonly #overlay: Overlay;
  readonly #shown: Shown;
  #generation = 0;

  private constructor(options: CopyPartOptions, replica: Replica) {
    this.ledger = options.ledger;
    this.filter = options.filter;
    this.#tracker = options.tracker;
    this.#clock = options.clock;
    this.#replica = replica;
    this.#overlay = new Overlay(options.ledger, overlayBytesMax);
    this.#shown = new Shown(options.ledger, this.flights);
  }

  static async open(options: CopyPartOptions): Promise<CopyPart> {
    const replica = await Replica.open({
      ...options,
      part: 'copy',
      onResync: () => part.#resynced(),
      onTaken: (event, { epochs }) => part.#taken(event, epochs),
    });
    const part = new CopyPart(options, replica);
    return part;
  }

  get hasCaughtUp(): boolean {
    return this.#replica.hasCaughtUp;
  }

  /** What is ahead of the feed goes with the openings that were known when it came. */
  get mayInstall(): boolean {
    return this.hasCaughtUp;
  }

  start(): Promise<FollowStart> {
    // What was proven spoke of commits that may be gone.
    if (!this.#replica.isCurrent) this.#tracker.reset();
    return this.#replica.start();
  }

  opened(event: Opened): Promise<void> {
    return this.#replica.opened(event);
  }

  durable(): VersionVector {
    return this.#replica.durable();
  }

  checkStore(): void {
    this.#replica.checkStore();
  }

  shown(): VersionVector {
    return this.#shown.vector;
  }

  generation(): number {
    return this.#generation;
  }

  bound(): Bound | undefined {
    return this.hasCaughtUp && this.#replica.isCurrent ? this.#tracker.bound() : undefined;
  }

  apply(event: Resync | Changes | CaughtUp): Promise<void> {
    return this.#replica.apply(event);
  }

  #resynced(): void {
    this.#generation++;
    this.#overlay.clear();
    this.#shown.clear();
  }

  #taken(event: Changes | CaughtUp, epochs: Epochs): void {
    this.#shown.lose(lostLives(this.ledger.state, epochs));
    if (event.kind === 'changes') this.#shown.show(event);
  }

  async lookup(key: RecordKey): Promise<HeldRecord | undefined> {
    if (!this.hasCaughtUp) return undefined;
    // Proven for the moment before the look, so it has aged by as long as that takes.
    const bound = this.bound();
    const begunMs = this.#clock.monotonicMs();
    // Looked at first: once the feed covers it, the store has it too.
    const ahead = this.#overlay.get(key);
    const stored = await this.ledger.store.read(key);
    const record = ahead !== undefined && replaces(ahead, stored) ? ahead : stored;
    const aged = bound && { ...bound, boundMs: bound.boundMs + this.#clock.monotonicMs() - begunMs };
    return { record, superseded: false, bound: aged };
  }

  /** An absence of which no write is known says nothing that a copy does not know by itself. */
  async install(record: Record): Promise<void> {
    const { registry } = this.ledger;
    if (record.position.sequence > 0 && !registry.isDead(record.namespace)) this.#overlay.set(record);
  }

  mend(key: RecordKey, held: Record | undefined, found: Record | undefined): Promise<boolean> {
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

  async status(): Promise<PartStatus> {
    return { ...partStatus(this), bytes: await this.ledger.store.approximateBytes() };
  }
}
