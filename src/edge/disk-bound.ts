import { mapKey, type RecordKey } from '../model/key.ts';
import { registryNamespace } from '../model/namespace.ts';
import { type Head, headOf, type Record } from '../model/record.ts';
import type { Ledger } from '../replication/ledger.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { EdgeObserver } from './observer.ts';

/** About how many bytes an entry costs on disk besides its key, value and metadata. */
const overheadBytes = 120;

/** The share of the bound that may be used while a trim goes on. */
const mostShare = 1.1;

/** Named state of the store. */
const sizeName = 'cache/sizes';

/**
 * Keeps a cache on disk within its bytes: a hand goes round the key space and removes what is not in memory, which
 * holds the entries used lately (the CLOCK algorithm, with the memory cache as the reference bit).
 */
export class DiskBound {
  readonly #ledger: Ledger;
  readonly #bytesMax: number;
  readonly #isHot: (name: string) => boolean;
  readonly #observer: EdgeObserver;
  #hand: RecordKey | undefined;
  #trimming: Promise<void> | undefined;
  /** Entries were removed, or became smaller, in other ways: expiry, purge, dead namespaces. */
  #isStale = false;
  bytes = 0;
  entries = 0;

  constructor(ledger: Ledger, bytesMax: number, isHot: (name: string) => boolean, observer: EdgeObserver) {
    this.#ledger = ledger;
    this.#bytesMax = bytesMax;
    this.#isHot = isHot;
    this.#observer = observer;
  }

  /** Takes the count that was stored with the last commit; if there is none, counts. */
  async open(): Promise<void> {
    const stored = await this.#ledger.store.meta(sizeName);
    if (stored === undefined) return this.measure();
    const { bytes, entries } = JSON.parse(Buffer.from(stored).toString()) as { bytes: number; entries: number };
    this.bytes = bytes;
    this.entries = entries;
  }

  /** For the batch with the entries counted last: after a crash the count is never less than what the disk holds. */
  meta(): ReadonlyMap<string, Uint8Array> {
    return new Map([[sizeName, Buffer.from(JSON.stringify({ bytes: this.bytes, entries: this.entries }))]]);
  }

  /** Counts the entries on disk. */
  async measure(): Promise<void> {
    this.#isStale = false;
    this.bytes = 0;
    this.entries = 0;
    const snapshot = this.#ledger.store.snapshot();
    try {
      for await (const page of snapshot.records({}, () => {})) {
        for (const stored of page) this.#add(stored.kind === 'tombstone' ? stored : { ...stored }, 1);
      }
    } finally {
      await snapshot.close();
    }
  }

  /** An entry is about to replace another one, or none; or to be removed. */
  replaced(held: Head | undefined, record: Record | undefined): void {
    if (held !== undefined) this.#add(held, -1);
    if (record !== undefined) this.#add(headOf(record), 1);
  }

  /** Others changed the entries, so the count may be too high. */
  changed(): void {
    this.#isStale = true;
  }

  /** Trims from time to time: the feed makes entries larger too. A disk failure is reported where it happens. */
  async run(clock: Clock, everyMs: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(clock, everyMs, signal);
      await this.trim(signal).catch(() => {});
    }
  }

  /** Begins to trim. The caller waits for it, and perhaps for a count, only if far too much came. */
  async makeRoom(): Promise<void> {
    const trimmed = this.trim().catch(() => {}); // A disk failure is reported where it happens.
    if (this.bytes > this.#bytesMax * mostShare) await trimmed;
  }

  async trim(signal?: AbortSignal): Promise<void> {
    if (this.bytes <= this.#bytesMax) return;
    this.#trimming ??= this.#trim(signal).finally(() => {
      this.#trimming = undefined;
    });
    await this.#trimming;
  }

  async #trim(signal: AbortSignal | undefined): Promise<void> {
    // A count is better than an eviction for entries that are gone.
    if (this.#isStale) await this.measure();
    // Two rounds at the most: the second takes hot entries too.
    for (let round = 0; round < 2 && this.bytes > this.#bytesMax; round++) {
      const snapshot = this.#ledger.store.snapshot();
      try {
        const after = this.#hand === undefined ? {} : { after: this.#hand };
        this.#hand = undefined;
        let damaged: RecordKey[] = [];
        for await (const page of snapshot.records(after, (found) => damaged.push(found))) {
          const found = [...damaged, ...page];
          damaged = [];
          const victims = found
            .filter(({ namespace, key }) => round > 0 || !this.#isHot(mapKey(namespace, key)))
            .filter(({ namespace }) => namespace !== registryNamespace);
          if (signal?.aborted) return;
          if (victims.length > 0) await this.#remove(victims);
          const last = page.at(-1);
          if (this.bytes > this.#bytesMax * 0.9 || last === undefined) continue;
          this.#hand = { namespace: last.namespace, key: last.key };
          break;
        }
      } finally {
        await snapshot.close();
      }
    }
    // The count of a crashed run may be too high.
    if (this.bytes > this.#bytesMax) await this.measure();
  }

  async #remove(victims: readonly RecordKey[]): Promise<void> {
    const removed = await this.#ledger.submit({
      keys: victims,
      sync: false,
      bytes: victims.length * 128,
      decide: (view) => {
        const removals = victims.map((key) => view.head(key)).filter((head) => head !== undefined);
        for (const head of removals) this.#add(head, -1);
        return { removals, discards: victims, meta: this.meta(), silent: true, result: removals.length };
      },
    });
    this.#observer.evicted('disk', removed);
  }

  #add(head: Head, sign: 1 | -1): void {
    if (head.namespace === registryNamespace) return;
    this.entries += sign;
    const content = head.kind === 'live' ? head.valueBytes + Buffer.byteLength(head.metadata ?? '') : 0;
    this.bytes += sign * (overheadBytes + head.key.length * 2 + content);
  }
}
