import { Counter, Gauge, type Registry } from 'prom-client';
import type { AuditDifference, EdgeObserver, LoadOutcome, RangeOutcome } from '../edge/observer.ts';
import type { Record } from '../model/record.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ReadWriteMetrics } from './read-write-metrics.ts';

/** What is an edge's alone: its cache and its loads. Reads and writes are counted as at an origin. */
export class EdgeMetrics implements EdgeObserver {
  readonly hits: EdgeObserver['hits'];
  readonly #readsAndWrites: ReadWriteMetrics;
  readonly #lookups: Counter;
  readonly #inFlight: Gauge;
  readonly #loads: Counter;
  readonly #joined: Counter;
  readonly #evictions: Counter;
  readonly #entries: Gauge;
  readonly #bytes: Gauge;
  readonly #audited: Counter;
  readonly #rangesAudited: Counter;
  readonly #rangeRecords: Counter;
  readonly #differences: Counter;
  readonly #logger: Logger;

  constructor(registry: Registry, readsAndWrites: ReadWriteMetrics, logger: Logger) {
    const registers = [registry];
    this.#readsAndWrites = readsAndWrites;
    this.hits = readsAndWrites.hits;
    let hitsCounted = 0;
    this.#logger = logger;
    this.#audited = new Counter({
      name: 'meridian_audit_compared_total',
      help: 'Keys held here that were compared with what the upstream holds.',
      labelNames: ['scope'],
      registers,
    });
    this.#rangesAudited = new Counter({
      name: 'meridian_audit_ranges_total',
      help: 'Ranges of the copy whose digest was compared with the upstream’s: equal, suspect (then keys are compared), or open where nothing could be concluded.',
      labelNames: ['outcome'],
      registers,
    });
    this.#rangeRecords = new Counter({
      name: 'meridian_audit_range_records_total',
      help: 'Live records of these ranges.',
      registers,
    });
    this.#differences = new Counter({
      name: 'meridian_audit_differences_total',
      help: 'Keys that differed from the upstream although both cover the same writes; repaired or not.',
      labelNames: ['scope', 'repaired'],
      registers,
    });
    // From the start: of a series that begins with its first difference `increase` says nothing.
    for (const scope of ['copy', 'cache']) {
      for (const repaired of ['true', 'false']) this.#differences.inc({ scope, repaired }, 0);
    }
    this.#lookups = new Counter({
      name: 'meridian_cache_lookups_total',
      help: 'Reads answered without the upstream (hit) or not (miss).',
      labelNames: ['result'],
      registers,
      collect: () => {
        const { copy, cache } = this.hits;
        const hits = copy.found + copy.absent + cache.found + cache.absent;
        this.#lookups.inc({ result: 'hit' }, hits - hitsCounted);
        hitsCounted = hits;
      },
    });
    this.#inFlight = new Gauge({
      name: 'meridian_loads_in_flight',
      help: 'Loads from the upstream under way.',
      registers,
    });
    this.#loads = new Counter({
      name: 'meridian_loads_total',
      help: 'Loads that ended: kept, passed on to the reader alone, or failed.',
      labelNames: ['outcome'],
      registers,
    });
    this.#joined = new Counter({
      name: 'meridian_loads_joined_total',
      help: 'Reads that waited for a load which another read had begun.',
      registers,
    });
    this.#evictions = new Counter({
      name: 'meridian_cache_evictions_total',
      help: 'Entries that went to keep the cache within its bound.',
      labelNames: ['from'],
      registers,
    });
    this.#entries = new Gauge({
      name: 'meridian_cache_entries',
      help: 'Entries of the cache, known absences included.',
      labelNames: ['at'],
      registers,
    });
    this.#bytes = new Gauge({
      name: 'meridian_cache_bytes',
      help: 'Bytes of the cache.',
      labelNames: ['at'],
      registers,
    });
  }

  read(kind: 'get' | 'list', source: string, outcome: string, elapsedMs: number): void {
    this.#readsAndWrites.readFrom(source, kind, outcome, elapsedMs);
  }

  written(outcome: string, elapsedMs: number): void {
    // Mutations are counted where they are stamped; here a write is one that was passed on.
    this.#readsAndWrites.written(outcome, 0, elapsedMs);
  }

  cacheLooked(hit: boolean): void {
    this.#lookups.inc({ result: hit ? 'hit' : 'miss' });
  }

  loadStarted(): void {
    this.#inFlight.inc();
  }

  loadEnded(outcome: LoadOutcome): void {
    this.#inFlight.dec();
    this.#loads.inc({ outcome });
  }

  loadJoined(): void {
    this.#joined.inc();
  }

  evicted(from: 'memory' | 'disk', entries: number): void {
    this.#evictions.inc({ from }, entries);
  }

  cacheSized(at: 'memory' | 'disk', entries: number, bytes: number): void {
    this.#entries.set({ at }, entries);
    this.#bytes.set({ at }, bytes);
  }

  audited(scope: 'copy' | 'cache'): void {
    this.#audited.inc({ scope });
  }

  rangeAudited(outcome: RangeOutcome, records: number): void {
    this.#rangesAudited.inc({ outcome });
    this.#rangeRecords.inc(records);
  }

  auditDiffered({ scope, key, held, found, responder, repaired }: AuditDifference): void {
    this.#differences.inc({ scope, repaired: String(repaired) });
    const sides = { held: described(held), found: described(found), responder };
    const seen = { scope, ...key, ...sides, repaired };
    this.#logger.of('audit').log('error', 'what is held differs from what the upstream holds', seen);
  }

  storeErased({ message }: Error): void {
    this.#logger.of('store').log('error', 'a damaged store is erased and will be filled again', { error: message });
  }
}

function described(record: Record | undefined): string {
  if (record === undefined) return 'nothing';
  const { kind, stamp, position } = record;
  const bytes = record.kind === 'live' ? `, ${record.value.byteLength} bytes` : '';
  return `${kind} ${stamp} at ${position.log}:${position.sequence}${bytes}`;
}
