import type { Changes } from '../model/feed.ts';
import { mapKey, type RecordKey } from '../model/key.ts';
import { isAt } from '../model/position.ts';
import type { Record } from '../model/record.ts';
import type { Ledger } from '../replication/ledger.ts';
import { bytesOf } from '../replication/memory-cache.ts';
import { hasEnded } from './scope.ts';

interface Entry {
  readonly record: Record;
  readonly bytes: number;
}

/**
 * What writes and loads brought to a copy ahead of its feed, in memory: so a writer reads its write back at once. The
 * store holds only what the feed brought, so nothing that an origin loses with its disk stays there unknown to the
 * feed. An entry is dropped once the feed covers it or brings a later write of its key, or once its log has ended
 * before it.
 */
export class PendingWrites {
  readonly #entries = new Map<string, Entry>();
  readonly #ledger: Ledger;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(ledger: Ledger, bytesMax: number) {
    this.#ledger = ledger;
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** An earlier write of the key is not kept. The oldest entries are dropped if there is no room. */
  set(record: Record): void {
    const name = mapKey(record.namespace, record.key);
    const known = this.get(record);
    if (known !== undefined && known.stamp >= record.stamp) return;
    this.#delete(name);
    const entry = { record, bytes: bytesOf(record.key, record) };
    if (!this.#isPending(record) || entry.bytes > this.#bytesMax) return;
    this.#entries.set(name, entry);
    this.#bytes += entry.bytes;
    if (this.#bytes > this.#bytesMax) this.#forgetOldest((this.#bytesMax * 15) / 16);
  }

  /** Drops several at once: to find its first entry, a Map walks over all deleted ones. */
  #forgetOldest(bytesLeft: number): void {
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= bytesLeft || this.#entries.size === 1) return;
      this.#delete(oldest);
    }
  }

  /**
   * The feed brought these. An earlier pending write of such a key is dropped, even if its log is lost and nothing will
   * ever cover it: once a deletion is purged, that write would be all that is held of the key. Of a lost record nobody
   * knows whether it is later: the pending write is dropped, unless it is that record.
   */
  overtake({ records, lost }: Pick<Changes, 'records' | 'lost'>): void {
    if (this.#entries.size === 0) return;
    for (const change of records) this.#drop(change, ({ stamp }) => stamp <= change.stamp);
    for (const each of lost?.records ?? []) this.#drop(each, ({ position }) => !isAt(position, each.position));
  }

  #drop({ namespace, key }: RecordKey, isOver: (pending: Record) => boolean): void {
    const name = mapKey(namespace, key);
    const entry = this.#entries.get(name);
    if (entry !== undefined && isOver(entry.record)) this.#delete(name);
  }

  get(key: RecordKey): Record | undefined {
    if (this.#entries.size === 0) return undefined; // Nearly always, so a hit need not build a name of the key.
    const name = mapKey(key.namespace, key.key);
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    if (this.#isPending(entry.record)) return entry.record;
    this.#delete(name);
    return undefined;
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #isPending({ position }: Record): boolean {
    const { state, registry } = this.#ledger;
    return !registry.logs.coversPosition(state.covered, position) && !hasEnded(this.#ledger, position);
  }

  #delete(name: string): void {
    this.#bytes -= this.#entries.get(name)?.bytes ?? 0;
    this.#entries.delete(name);
  }
}
