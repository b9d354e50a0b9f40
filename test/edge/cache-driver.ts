import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CachePart } from '../../src/edge/cache-part.ts';
import { edgeDefaults } from '../../src/edge/edge-options.ts';
import { LoadPlaces, type LoadPlacesOptions } from '../../src/edge/load-places.ts';
import { Loads } from '../../src/edge/loads.ts';
import { type EdgeObserver, silentEdgeObserver } from '../../src/edge/observer.ts';
import { Upstreams } from '../../src/edge/upstreams.ts';
import type { Call } from '../../src/model/call.ts';
import type { Change, Step } from '../../src/model/feed.ts';
import type { GetAnswer, GetRequest } from '../../src/model/key-value.ts';
import { parseNamespaceId, registryNamespace } from '../../src/model/namespace.ts';
import { type LogId, parseLogId } from '../../src/model/position.ts';
import { headOf, type LiveRecord, type Record } from '../../src/model/record.ts';
import { emptySession } from '../../src/model/session.ts';
import { makeStamp } from '../../src/model/stamp.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import type { VersionVector } from '../../src/model/version-vector.ts';
import { Ledger } from '../../src/replication/ledger.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { StalenessTracker } from '../../src/replication/staleness-tracker.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import type { Store } from '../../src/store/store.ts';
import { FakeClock } from './fake-clock.ts';

export const namespace = parseNamespaceId('a'.repeat(32)) ?? registryNamespace;
export const origin = parseLogId('1'.repeat(16)) as LogId;

/** The write of this sequence: its value spells the sequence. */
export function written(sequence: number, key = 'k'): LiveRecord {
  const stamp = makeStamp({ wallMs: 1000 + sequence, counter: 0, origin });
  return { kind: 'live', namespace, key, stamp, position: { origin, sequence }, value: Buffer.from(`${sequence}`) };
}

export function announced(sequence: number, key = 'k'): Change {
  const head = headOf(written(sequence, key));
  if (head.kind === 'tombstone') throw new Error('a live record has a live head');
  return { ...head, kind: 'announcement' };
}

export function vector(sequence: number): VersionVector {
  return new Map([[origin, sequence]]);
}

function stepTo(sequence: number): Step {
  return { vector: vector(sequence), floor: new Map(), settled: new Map() };
}

interface Asked {
  readonly signal: AbortSignal;
  /** Answers with what an origin holds that covers `covered`. */
  answer(record: Record | undefined, covered: number): void;
  fail(error: Error): void;
}

interface DriverOptions extends Partial<Pick<LoadPlacesOptions, 'loadsMax' | 'loadsWaitingMax'>> {
  readonly memoryBytesMax?: number;
  readonly diskBytesMax?: number;
  readonly edgeObserver?: EdgeObserver;
}

/** A cached part with its loads, whose feed and upstream the test plays. */
export class CacheDriver {
  readonly clock = new FakeClock();
  /** The opening that the upstream says its answers to be from. */
  epoch: number | undefined;
  readonly asked: Asked[] = [];
  readonly tracker: StalenessTracker;
  readonly part: CachePart;
  readonly loads: Loads;
  readonly #ledger: Ledger;
  readonly #store: Store;
  readonly #folder: string;

  private constructor(
    folder: string,
    store: Store,
    ledger: Ledger,
    parts: { part: CachePart; clock: FakeClock; tracker: StalenessTracker; places: LoadPlacesOptions },
  ) {
    this.#folder = folder;
    this.#store = store;
    this.#ledger = ledger;
    this.part = parts.part;
    this.clock = parts.clock;
    this.tracker = parts.tracker;
    const upstream = { get: (_request: GetRequest, call: Call) => this.#ask(call) } as unknown as Upstream;
    const upstreams = new Upstreams([{ name: 'u', upstream }], this.clock, { firstMs: 1, mostMs: 1 });
    const places = new LoadPlaces(parts.places);
    this.loads = new Loads({ ...edgeDefaults, places, upstreams, clock: this.clock, edgeObserver: silentEdgeObserver });
  }

  static async open(options: DriverOptions & { readonly folder?: string } = {}): Promise<CacheDriver> {
    const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'meridian-cache-')));
    const store = await openLevelStore(folder);
    const clock = new FakeClock();
    const tracker = new StalenessTracker(clock, 1000);
    const observer = silentReplicationObserver;
    const ledger = await Ledger.open({ ...edgeDefaults, store, clock, observer });
    const part = await CachePart.open({
      ledger,
      clock,
      tracker,
      observer,
      edgeObserver: options.edgeObserver ?? silentEdgeObserver,
      cacheMemoryBytesMax: options.memoryBytesMax ?? 1_000_000,
      cacheDiskBytesMax: options.diskBytesMax ?? 1_000_000,
    });
    return new CacheDriver(folder, store, ledger, {
      part,
      clock,
      tracker,
      places: { ...edgeDefaults, ...options, clock },
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
    return this.part.apply({ kind: 'caught-up', ...stepTo(sequence) });
  }

  /** A live step that shows these changes. */
  show(sequence: number, ...records: Change[]): Promise<void> {
    return this.part.apply({ kind: 'changes', records, step: stepTo(sequence) });
  }

  resync(sequence: number): Promise<void> {
    return this.part.apply({ kind: 'resync', vector: vector(sequence), finals: new Map(), reason: 'below-floor' });
  }

  load(key = 'k', wishes: Partial<GetRequest> = {}, call: Partial<Call> = {}): Promise<GetAnswer> {
    const request = { namespace, key, session: emptySession, ...wishes };
    const deadlineMs = this.clock.monotonicMs() + 1000;
    return this.loads.load(this.part, { namespace, key }, request, {
      deadlineMs,
      signal: new AbortController().signal,
      ...call,
    });
  }

  /** Loads at once what an upstream holds that covers so much. */
  async keep(record: Record, covered: number): Promise<void> {
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
    const found = await this.part.lookup({ namespace, key });
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
            bound: { boundMs: 0, root: origin },
            past: false,
            covered: vector(covered),
            responder: 'u',
            openings: new Map(this.epoch === undefined ? [] : [[origin, this.epoch]]),
          }),
        fail: reject,
      });
    });
  }
}
