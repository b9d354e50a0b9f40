import { MeridianError } from '../model/errors.ts';
import type { Lost } from '../model/feed.ts';
import { isKey, mapKey, type RecordKey } from '../model/key.ts';
import { registryNamespace } from '../model/namespace.ts';
import { type Head, headOf, type Record } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import type { Trace } from '../model/trace.ts';
import { emptyVector, joinVectors, type VersionVector } from '../model/version-vector.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Damaged, Snapshot, Store } from '../store/store.ts';
import { inBatch } from './commit-trace.ts';
import { HotRecords } from './hot-records.ts';
import { closed, isBusy, isDiskFull, storeFailed } from './ledger-errors.ts';
import { decodeLedgerState, encodeLedgerState, type LedgerState, ledgerStateName } from './ledger-state.ts';
import type { Cached } from './memory-cache.ts';
import type { ReplicationObserver } from './observer.ts';
import { Registry } from './registry.ts';
import { Ring, type RingBounds } from './ring.ts';

export interface LedgerOptions extends RingBounds {
  readonly store: Store;
  readonly clock: Clock;
  readonly observer: ReplicationObserver;
  /** Proposals that may wait; one more is refused with RESOURCE_EXHAUSTED. */
  readonly proposalsMax: number;
  /** Bytes of proposals that may wait. */
  readonly proposalBytesMax: number;
  /** Bytes of proposals that one commit takes, at the most; a larger single one goes alone. */
  readonly commitBytesMax: number;
  /** Bytes of hot records in memory. Default 0: every read goes to the store. */
  readonly hotBytesMax?: number;
}

/** A change that asks to be committed. Proposals are decided one after another, in the order of asking (rule R11). */
export interface Proposal<T> {
  /** Every key whose head `decide` looks at, or that it puts or removes. */
  readonly keys: readonly RecordKey[];
  /** True: the result counts only once it is on disk. */
  readonly sync: boolean;
  /** About how many bytes it takes: a group of proposals is bounded. */
  readonly bytes: number;
  /** The trace step that waits for it, if its call is traced. */
  readonly trace?: Trace | undefined;
  /** Synchronous. If it throws, this proposal alone is refused and changes nothing. */
  decide(view: CommitView): Decision<T>;
}

/** What is held once all proposals before this one are committed. */
export interface CommitView {
  /** For a key that no proposal of the commit named: only what the commit itself makes of it. */
  head(key: RecordKey): Head | undefined;
  /** Set if the held record cannot be read, so that `head` does not know it: a put or a discard heals it. */
  damaged(key: RecordKey): Damaged | undefined;
  readonly state: LedgerState;
}

export interface Decision<T> {
  readonly puts?: readonly Record[];
  readonly removals?: readonly Head[];
  /** Keys whose damaged records are removed without a trace. Sound records stay. */
  readonly discards?: readonly RecordKey[];
  /** These lost records replace what is held of their keys: such a key reads as DATA_LOSS until it is healed. */
  readonly lost?: readonly Lost[];
  /** The changed fields of the state. */
  readonly state?: Partial<LedgerState>;
  readonly meta?: ReadonlyMap<string, Uint8Array | undefined>;
  /** True for what every node does alone (expiry, purge): followers are not told. */
  readonly silent?: boolean;
  readonly result: T;
}

interface Waiting {
  readonly proposal: Proposal<unknown>;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** The sum of the proposals of one commit. */
interface Group {
  readonly puts: Map<string, Record>;
  readonly removals: Map<string, Head>;
  readonly discards: Map<string, RecordKey>;
  readonly lost: Map<string, Lost>;
  readonly meta: Map<string, Uint8Array | undefined>;
  readonly shown: Map<string, Record>;
  state: LedgerState;
  readonly accepted: Array<{ readonly waiting: Waiting; readonly result: unknown }>;
  readonly refused: Array<{ readonly waiting: Waiting; readonly error: unknown }>;
}

/** Milliseconds between tries to open the store again, while nobody writes. */
const reopenMs = 1_000;
const nothing: Proposal<undefined> = { keys: [], sync: false, bytes: 0, decide: () => ({ result: undefined }) };

/** Damaged records remembered as awaited. More wait until some of these are mended. */
const awaitedMax = 1024;

/** What the store holds of the keys of one commit. */
interface Held {
  readonly heads: ReadonlyMap<string, Head>;
  readonly damaged: ReadonlyMap<string, Damaged>;
}

/**
 * The one commit queue of a store (rule R11), with what must change together: records, the state that speaks of them,
 * the ring of newest commits, and the registry. All that arrives while a commit is being synced forms the next one.
 * What a proposal resolves with is synced (where it asked for that) and in the ring.
 */
export class Ledger {
  readonly store: Store;
  readonly ring: Ring;
  readonly registry = new Registry(() => this.#checkSound());
  /** The store's records, for reads of single records. */
  readonly hot: HotRecords;
  readonly #options: LedgerOptions;
  #state: LedgerState;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  #broken = false;
  /** The floor after the commit under way: once this is written, what it purges is missing from a snapshot. */
  #floorAhead: VersionVector = emptyVector;
  /** The disk was full when the store was to be opened again: until it opens, reads use what the store has open. */
  #readable = false;
  #reopenings = 0;
  #closed = false;
  #later: Timer | undefined;
  /** Damaged records that a proposal waits for, besides those that the store has found (mending.ts). */
  readonly awaited = new Map<string, Damaged>();
  /** Called when the store was opened again, before another proposal is decided: a member then begins a new log (rule R2). */
  onReopened: () => void = () => {};

  private constructor(options: LedgerOptions, state: LedgerState) {
    this.store = options.store;
    this.ring = new Ring(options);
    this.hot = new HotRecords(options.store, options.hotBytesMax ?? 0);
    this.#options = options;
    this.#state = state;
  }

  static async open(options: LedgerOptions): Promise<Ledger> {
    const ledger = new Ledger(options, decodeLedgerState(await options.store.meta(ledgerStateName)));
    await ledger.#loadRegistry();
    ledger.#state = ledger.#normalized(ledger.#state);
    return ledger;
  }

  get state(): LedgerState {
    return this.#state;
  }

  /** A proposal waits until that damaged record is mended. */
  awaits(damaged: Damaged): void {
    if (this.awaited.size < awaitedMax) this.awaited.set(mapKey(damaged.namespace, damaged.key), damaged);
  }

  /**
   * How often the store was opened again after a failed commit (rule R2). When this grows, a stream of changes into the
   * store begins again from what is stored: commits that were not synced may be gone.
   */
  get reopenings(): number {
    return this.#reopenings;
  }

  /**
   * True from a failed commit until the store is open again: the outcome of the commit is unknown, so what is known
   * here may be older than the store (rule R2).
   */
  get inDoubt(): boolean {
    return this.#broken && !this.#readable && holds('R2 nothing is told in doubt');
  }

  /** True once the ledger takes nothing more: its store may be erased by now, or belong to another ledger. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** One record at once. Undefined: it must be awaited, may not be told now, or the key is invalid; `read` says why. */
  peek(key: RecordKey): Cached | undefined {
    const hot = this.hot.peek(key);
    if (hot !== undefined || this.inDoubt || this.#closed) return hot;
    return key.namespace !== registryNamespace && isKey(key.key) ? this.hot.look(key) : undefined;
  }

  /** One record, from memory or from the store. @throws UNAVAILABLE while the ledger is in doubt; as `Store.read` */
  async read(key: RecordKey): Promise<Record | undefined> {
    this.#checkSound();
    return this.hot.read(key);
  }

  /**
   * One instant: the state, a place in the ring, and a view of the store that holds at least what the state claims. The
   * view may show the commit under way, so the floor is the one after that commit: above it no purged record is
   * missing.
   */
  instant(): { readonly state: LedgerState; readonly place: number; readonly snapshot: Snapshot } {
    this.#checkSound();
    const floor = joinVectors(this.#state.floor, this.#floorAhead);
    return { state: { ...this.#state, floor }, place: this.ring.end, snapshot: this.store.snapshot() };
  }

  #checkSound(): void {
    if (this.inDoubt) throw storeFailed();
  }

  /** @throws what `decide` throws; RESOURCE_EXHAUSTED; UNAVAILABLE where the disk failed */
  submit<T>(proposal: Proposal<T>): Promise<T> {
    const { proposalsMax, proposalBytesMax } = this.#options;
    if (this.#closed) return Promise.reject(closed());
    if (this.#waiting.length >= proposalsMax || this.#waitingBytes + proposal.bytes > proposalBytesMax) {
      return Promise.reject(
        new MeridianError('RESOURCE_EXHAUSTED', `${this.#waiting.length} writes are waiting already`, {
          reason: 'commit-queue-full',
          limit: proposalsMax,
          seen: this.#waiting.length + 1,
          retryAfterMs: 100,
        }),
      );
    }
    this.#waitingBytes += proposal.bytes;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ proposal, resolve: (result) => resolve(result as T), reject });
      this.#running ??= this.#run();
    });
  }

  /** Takes nothing more; waits for what was taken. Whoever opened the store closes it. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#later?.cancel();
    await this.#running;
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // Proposals of the same tick go into one commit.
    while (this.#waiting.length > 0) {
      const taken = this.#take();
      try {
        if (this.#broken) await this.#reopen();
        await this.#commit(taken);
      } catch (error) {
        if (isDiskFull(error)) await this.#refuse(taken, error);
        else if (isBusy(error)) this.#rejectAll(taken, error);
        else await this.#fail(taken, error);
      }
    }
    this.#running = undefined; // In the same turn as the last look at the queue: nobody can slip in between.
  }

  async #fail(taken: readonly Waiting[], error: unknown): Promise<void> {
    this.#options.observer.commitFailed(error);
    this.#broken = true;
    this.ring.clear();
    this.hot.clear();
    for (const waiting of taken) waiting.reject(storeFailed(error));
    // At once: otherwise reads and scans are refused until the next write. If it fails, the next write tries again.
    await this.#reopen().catch((cause: unknown) => {
      this.#options.observer.commitFailed(cause);
      this.#reopenLater();
    });
  }

  /** There may be no next write. The medium of the store, such as a database, may be back by then. */
  #reopenLater(): void {
    this.#later?.cancel();
    this.#later = this.#options.clock.timer(reopenMs, () => {
      // `#run` reports a failure and plans the next try.
      if (this.#broken && !this.#closed) void this.submit(nothing).catch(() => {});
    });
  }

  /** The disk had no room, so nothing was begun. Each proposal is tried alone: a deletion, say, needs no room. */
  async #refuse(taken: readonly Waiting[], error: unknown): Promise<void> {
    const alone = this.#broken || taken.length === 1 ? [] : taken;
    if (alone.length === 0) this.#rejectAll(taken, error);
    for (const [index, waiting] of alone.entries()) {
      try {
        await this.#commit([waiting]);
      } catch (cause) {
        if (!isDiskFull(cause) && !isBusy(cause)) return this.#fail(alone.slice(index), cause);
        waiting.reject(cause);
      }
    }
  }

  /** Nothing was begun. A store that still has to be opened again is tried later, as there may be no next write. */
  #rejectAll(taken: readonly Waiting[], error: unknown): void {
    for (const waiting of taken) waiting.reject(error);
    if (this.#broken) this.#reopenLater();
  }

  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { proposal } of this.#waiting) {
      if (count > 0 && bytes + proposal.bytes > this.#options.commitBytesMax) break;
      bytes += proposal.bytes;
      count++;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #commit(taken: readonly Waiting[]): Promise<void> {
    const { store, clock, observer } = this.#options;
    const held = await this.#heads(taken);
    const group = decideAll(taken, held, this.#state);
    group.state = this.#normalized(group.state);
    const removals = [...group.removals.values()];
    const discards = [...group.discards.values()];
    const lost = [...group.lost].map(([key, each]) => ({ ...each, held: held.heads.get(key) }));
    const changes = group.puts.size + removals.length + discards.length + lost.length;
    if (changes > 0 || group.meta.size > 0 || group.state !== this.#state) {
      const startedMs = clock.monotonicMs();
      const puts = [...group.puts].map(([key, record]) => ({ record, held: held.heads.get(key) }));
      const meta = new Map(group.meta).set(ledgerStateName, encodeLedgerState(group.state));
      const sync = holds('R1 synced first') && group.accepted.some(({ waiting }) => waiting.proposal.sync);
      const damaged = changes === puts.length + removals.length ? {} : { discards, lost };
      const traces = taken.map(({ proposal }) => proposal.trace);
      const batch = { puts, removals, ...damaged, meta, sync };
      this.#floorAhead = group.state.floor;
      try {
        await inBatch(traces, { records: changes, sync }, () => store.commit(batch));
        observer.committed(changes, clock.monotonicMs() - startedMs, sync);
        this.#publish(group);
      } finally {
        this.#floorAhead = emptyVector;
      }
    }
    for (const { waiting, result } of group.accepted) waiting.resolve(result);
    // A refusal reveals the state it was decided against, so it waits until that is synced as well (rule R1).
    for (const { waiting, error } of group.refused) waiting.reject(error);
  }

  async #heads(taken: readonly Waiting[]): Promise<Held> {
    const keys = new Map<string, RecordKey>();
    for (const { proposal } of taken) for (const key of proposal.keys) keys.set(mapKey(key.namespace, key.key), key);
    const names = [...keys.keys()];
    const damaged = new Map<string, Damaged>();
    const found = await this.store.heads([...keys.values()], (each) =>
      damaged.set(mapKey(each.namespace, each.key), each),
    );
    const heads = new Map<string, Head>();
    found.forEach((head, index) => {
      const name = names[index];
      if (head !== undefined && name !== undefined) heads.set(name, head);
    });
    return { heads, damaged };
  }

  #publish(group: Group): void {
    const before = this.#state;
    for (const { namespace, key } of [...group.removals.values(), ...group.discards.values()]) {
      this.hot.remove(mapKey(namespace, key));
      if (namespace === registryNamespace) this.registry.forget(key);
    }
    for (const name of group.lost.keys()) this.hot.remove(name);
    for (const [name, record] of group.puts) {
      this.hot.put(name, record);
      this.registry.apply(record);
    }
    this.#state = this.#normalized(group.state);
    const { covered, stable } = this.#state;
    const advances = before.covered !== covered || before.stable !== stable;
    const lost = [...group.lost.values()];
    if (group.shown.size + lost.length === 0 && !(advances && holds('R5 each advance is a step'))) return;
    this.ring.append({
      records: [...group.shown.values()],
      ...(lost.length === 0 ? {} : { lost: { records: lost, upTo: this.registry.logs.unfold(covered) } }),
      step: { vector: covered, stable },
      committedAtMs: this.#options.clock.wallMs(),
    });
  }

  /** Folds vectors by what is known of logs, before and after a commit. A member lowers its claim to seals (R23). */
  #normalized(state: LedgerState): LedgerState {
    const { logs } = this.registry;
    const normal = (vector: VersionVector) =>
      logs.self !== undefined && holds('R23 a member lowers its claim') ? logs.clip(vector) : logs.fold(vector);
    const [covered, stable] = [normal(state.covered), normal(state.stable)];
    return covered === state.covered && stable === state.stable ? state : { ...state, covered, stable };
  }

  /** Rule R2: it is unknown what reached the disk, so the state is read again. */
  async #reopen(): Promise<void> {
    this.#reopenings++;
    try {
      await this.store.reopen();
    } catch (error) {
      this.#readable = isDiskFull(error);
      throw error;
    }
    if (holds('R2 the state is read again')) {
      const state = decodeLedgerState(await this.store.meta(ledgerStateName));
      await this.#loadRegistry();
      this.#state = this.#normalized(state);
    }
    this.hot.clear();
    this.#broken = false;
    this.#readable = false;
    this.onReopened();
  }

  /** All at once: half a registry would lack namespaces, or members of the cluster. */
  async #loadRegistry(): Promise<void> {
    const snapshot = this.store.snapshot();
    const records: Record[] = [];
    try {
      for await (const page of snapshot.records({ namespace: registryNamespace })) {
        for (const stored of page) {
          const record = await snapshot.read(stored);
          if (record !== undefined) records.push(record);
        }
      }
    } finally {
      await snapshot.close();
    }
    this.registry.clear();
    for (const record of records) this.registry.apply(record);
  }
}

function decideAll(taken: readonly Waiting[], held: Held, state: LedgerState): Group {
  const group: Group = {
    puts: new Map(),
    removals: new Map(),
    discards: new Map(),
    lost: new Map(),
    meta: new Map(),
    shown: new Map(),
    state,
    accepted: [],
    refused: [],
  };
  for (const waiting of taken) {
    const view = viewOf(group, held);
    let decision: Decision<unknown>;
    try {
      decision = waiting.proposal.decide(view);
    } catch (error) {
      group.refused.push({ waiting, error });
      continue;
    }
    add(group, decision, held);
    group.accepted.push({ waiting, result: decision.result });
  }
  return group;
}

function viewOf(group: Group, held: Held): CommitView {
  return {
    state: group.state,
    head: ({ namespace, key }) => {
      const name = mapKey(namespace, key);
      const put = group.puts.get(name);
      if (put !== undefined) return headOf(put);
      return group.removals.has(name) || group.lost.has(name) ? undefined : held.heads.get(name);
    },
    damaged: ({ namespace, key }) => {
      const name = mapKey(namespace, key);
      const lost = group.lost.get(name);
      if (lost !== undefined) return lost;
      return group.puts.has(name) || group.discards.has(name) ? undefined : held.damaged.get(name);
    },
  };
}

function add(group: Group, decision: Decision<unknown>, held: Held): void {
  for (const record of decision.puts ?? []) {
    const name = mapKey(record.namespace, record.key);
    group.removals.delete(name);
    group.discards.delete(name);
    group.lost.delete(name);
    group.puts.set(name, record);
    if (decision.silent !== true) group.shown.set(name, record);
  }
  for (const head of decision.removals ?? []) {
    const name = mapKey(head.namespace, head.key);
    group.puts.delete(name);
    const stored = held.heads.get(name);
    if (stored !== undefined) group.removals.set(name, stored);
    // A damaged record that an earlier proposal of this commit healed.
    else if (held.damaged.has(name)) group.discards.set(name, { namespace: head.namespace, key: head.key });
  }
  for (const { namespace, key } of decision.discards ?? []) {
    const name = mapKey(namespace, key);
    const stored = held.heads.get(name);
    if (group.lost.delete(name) && stored !== undefined) group.removals.set(name, stored);
    if (held.damaged.has(name) && !group.puts.has(name)) group.discards.set(name, { namespace, key });
  }
  for (const each of decision.lost ?? []) {
    const name = mapKey(each.namespace, each.key);
    for (const other of [group.puts, group.shown, group.removals, group.discards]) other.delete(name);
    group.lost.set(name, each);
  }
  for (const [name, value] of decision.meta ?? []) group.meta.set(name, value);
  if (decision.state !== undefined) group.state = { ...group.state, ...decision.state };
}
