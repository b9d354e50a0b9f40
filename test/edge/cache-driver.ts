import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CacheScope } from '../../src/edge/cache-scope.ts';
import { edgeDefaults } from '../../src/edge/edge-options.ts';
import { LoadPermits, type LoadPermitsOptions } from '../../src/edge/load-permits.ts';
import { Loads } from '../../src/edge/loads.ts';
import { type EdgeObserver, silentEdgeObserver } from '../../src/edge/observer.ts';
import { Upstreams } from '../../src/edge/upstreams.ts';
import type { Call } from '../../src/model/call.ts';
import type { Change, Step } from '../../src/model/feed.ts';
import type { GetAnswer, GetRequest } from '../../src/model/key-value.ts';
import { parseNamespaceId, registryNamespace } from '../../src/model/namespace.ts';
import { type LogId, type MemberId, parseLogId, parseMemberId } from '../../src/model/position.ts';
import { headOf, type LiveRecord, type Record } from '../../src/model/record.ts';
import { emptySession } from '../../src/model/session.ts';
import { makeStamp } from '../../src/model/stamp.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import type { VersionVector } from '../../src/model/version-vector.ts';
import { StalenessTracker } from '../../src/replication/following/staleness-tracker.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { logKeys } from '../../src/replication/logs.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import type { Store } from '../../src/store/store.ts';
import { said } from '../replication/registry-records.ts';
import { FakeClock } from './fake-clock.ts';

export const namespace = parseNamespaceId('a'.repeat(32)) ?? registryNamespace;
export const log = parseLogId('1'.repeat(16)) as LogId;
export const member = parseMemberId('e'.repeat(16)) as MemberId;

/** The write of this sequence: its value spells the sequence. */
export function written(sequence: number, key = 'k'): LiveRecord {
  const stamp = makeStamp({ wallMs: 1000 + sequence, counter: 0, log });
  return { kind: 'live', namespace, key, stamp, position: { log, sequence }, value: Buffer.from(`${sequence}`) };
}

/** Registers the log; it stands before the writes of a test. */
export const registration = said(
  logKeys.log(log),
  { member, opened: makeStamp({ wallMs: 1, counter: 0, log }) },
  { log, sequence: 0 },
);

export function announced(sequence: number, key = 'k'): Change {
  const head = headOf(written(sequence, key));
  if (head.kind === 'tombstone') throw new Error('a live record has a live head');
  return { ...head, kind: 'announcement' };
}

export function vector(sequence: number): VersionVector {
  return new Map([[log, sequence]]);
}

function stepTo(sequence: number): Step {
  return { vector: vector(sequence), stable: new Map() };
}

interface Asked {
  readonly signal: AbortSignal;
  /** Answers with what an origin holds that covers `covered`. */
  answer(record: Record | undefined, covered: number | VersionVector): void;
  fail(error: Error): void;
}

interface DriverOptions extends Partial<Pick<LoadPermitsOptions, 'loadsMax' | 'loadsWaitingMax'>> {
  readonly memoryBytesMax?: number;
  readonly diskBytesMax?: number;
  readonly edgeObserver?: EdgeObserver;
}

/** A cached scope with its loads, whose feed and upstream the test plays. */
export class CacheDriver {
  readonly clock = new FakeClock();
  readonly asked: Asked[] = [];
  readonly tracker: StalenessTracker;
  readonly scope: CacheScope;
  readonly loads: Loads;
  readonly #ledger: Ledger;
  readonly #store: Store;
  readonly #folder: string;

  private constructor(
    folder: string,
    store: Store,
    ledger: Ledger,
    made: { scope: CacheScope; clock: FakeClock; tracker: StalenessTracker; permits: LoadPermitsOptions },
  ) {
    this.#folder = folder;
    this.#store = store;
    this.#ledger = ledger;
    this.scope = made.scope;
    this.clock = made.clock;
    this.tracker = made.tracker;
    const upstream = { get: (_request: GetRequest, call: Call) => this.#ask(call) } as unknown as Upstream;
    const upstreams = new Upstreams([{ name: 'u', upstream }], this.clock, { firstMs: 1, mostMs: 1, silenceMsMin: 10 });
    const permits = new LoadPermits(made.permits);
    this.loads = new Loads({
      ...edgeDefaults,
      permits,
      upstreams,
      settled: { look: () => this.clock.wallMs() },
      clock: this.clock,
      edgeObserver: silentEdgeObserver,
    });
  }

  static async open(options: DriverOptions & { readonly folder?: string } = {}): Promise<CacheDriver> {
    const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'meridian-cache-')));
    const store = await openLevelStore(folder);
    const clock = new FakeClock();
    const tracker = new StalenessTracker(clock, 1000);
    const observer = silentReplicationObserver;
    const ledger = await Ledger.open({ ...edgeDefaults, store, clock, observer });
    const scope = await CacheScope.open({
      ledger,
      clock,
      tracker,
      listener: { joined: async () => {}, heard: () => {} },
      observer,
      edgeObserver: options.edgeObserver ?? silentEdgeObserver,
      cacheMemoryBytesMax: options.memoryBytesMax ?? 1_000_000,
      cacheDiskBytesMax: options.diskBytesMax ?? 1_000_000,
    });
    return new CacheDriver(folder, store, ledger, {
      scope,
      clock,
      tracker,
      permits: { ...edgeDefaults, ...options, clock },
    });
  }

  async reopened(options: DriverOptions = {}): Promise<CacheDriver> {
    await this.#shut();
    return CacheDriver.open({ ...options, folder: this.#folder });
  }

  async close(): Promise<void> {
    await this.#shut();
    await rm(this.#folder, { recursive: true });
  }

  caughtUp(sequence: number): Promise<void> {
    return this.caughtUpTo(vector(sequence));
  }

  async caughtUpTo(covered: VersionVector): Promise<void> {
    // Of a log that it has not heard of a cache keeps nothing.
    if (this.scope.ledger.registry.logs.get(log) === undefined) await this.showOnly(registration);
    return this.scope.apply({ kind: 'caught-up', vector: covered, stable: new Map(), floor: new Map() });
  }

  /** A live step that shows these changes. */
  show(sequence: number, ...records: Change[]): Promise<void> {
    return this.scope.apply({ kind: 'changes', records, step: stepTo(sequence) });
  }

  /** What a scan shows: it closes no step. */
  showOnly(...records: Change[]): Promise<void> {
    return this.scope.apply({ kind: 'changes', records });
  }

  resync(): Promise<void> {
    return this.scope.apply({ kind: 'resync', reason: 'below-floor' });
  }

  load(key = 'k', wishes: Partial<GetRequest> = {}, call: Partial<Call> = {}): Promise<GetAnswer> {
    const request = { namespace, key, session: emptySession, ...wishes };
    const deadlineMs = this.clock.monotonicMs() + 1000;
    return this.loads.load(this.scope, { namespace, key }, request, {
      deadlineMs,
      signal: new AbortController().signal,
      ...call,
    });
  }

  /** Loads at once what an upstream holds that covers so much. */
  async keep(record: Record, covered: number | VersionVector): Promise<void> {
    const loading = this.load(record.key);
    (await this.nextAsked()).answer(record, covered);
    await loading;
  }

  async nextAsked(): Promise<Asked> {
    for (;;) {
      const next = this.asked.shift();
      if (next !== undefined) return next;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The value held, `old …` where it is superseded. */
  async held(key = 'k'): Promise<string | undefined> {
    const found = await this.scope.lookup({ namespace, key });
    if (found === undefined) return undefined;
    const text = found.record?.kind === 'live' ? Buffer.from(found.record.value).toString() : 'absent';
    return found.superseded ? `old ${text}` : text;
  }

  async #shut(): Promise<void> {
    await this.#ledger.close();
    await this.#store.close();
  }

  #ask({ signal }: Call): Promise<GetAnswer> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      this.asked.push({
        signal,
        answer: (record, covered) =>
          resolve({
            record,
            namespace,
            source: 'origin',
            bound: { boundMs: 0, root: log },
            past: false,
            covered: typeof covered === 'number' ? vector(covered) : covered,
            responder: 'u',
            session: emptySession,
          }),
        fail: reject,
      });
    });
  }
}
