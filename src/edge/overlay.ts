import type { EpochHistory } from '../model/epoch.ts';
import { mapKey, type RecordKey } from '../model/key.ts';
import type { Record } from '../model/record.ts';
import { coversPosition } from '../model/version-vector.ts';
import type { Ledger } from '../replication/ledger.ts';

interface Entry {
  readonly record: Record;
  /** The openings of its origin that were known when it came. */
  readonly history: EpochHistory | undefined;
  readonly bytes: number;
}

/** Bytes that an entry costs besides its key, value and metadata, about. */
const overheadBytes = 250;

/**
 * What writes and loads brought to a copy ahead of its feed, in memory: whoever wrote reads it back at once. The store
 * holds what the feed brought alone, so nothing that an origin loses with its disk stays there behind the feed's back. An
 * entry goes once the feed covers it; or its origin's store was opened again or removed since, and nobody vouches for it.
 */
export class Overlay {
  readonly #entries = new Map<string, Entry>();
  readonly #ledger: Pick<Ledger, 'state' | 'registry'>;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(ledger: Pick<Ledger, 'state' | 'registry'>, bytesMax: number) {
    this.#ledger = ledger;
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** An earlier write of the key stays out. The oldest entries go where there is no room. */
  set(record: Record): void {
    const name = mapKey(record.namespace, record.key);
    const known = this.get(record);
    if (known !== undefined && known.stamp >= record.stamp) return;
    this.#delete(name);
    const entry = { record, history: this.#historyOf(record), bytes: bytesOf(record) };
    if (!this.#isAhead(entry) || entry.bytes > this.#bytesMax) return;
    this.#entries.set(name, entry);
    this.#bytes += entry.bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#delete(oldest);
    }
  }

  get(key: RecordKey): Record | undefined {
    const name = mapKey(key.namespace, key.key);
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    if (this.#isAhead(entry)) return entry.record;
    this.#delete(name);
    return undefined;
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #isAhead({ record: { position }, ...entry }: Entry): boolean {
    const { state, registry } = this.#ledger;
    if (coversPosition(state.covered, position) || registry.membership.isBeyondFinal(position)) return false;
    return this.#historyOf({ position }) === entry.history;
  }

  #historyOf({ position }: Pick<Record, 'position'>): EpochHistory | undefined {
    return this.#ledger.state.epochs.get(position.origin);
  }

  #delete(name: string): void {
    this.#bytes -= this.#entries.get(name)?.bytes ?? 0;
    this.#entries.delete(name);
  }
}

function bytesOf(record: Record): number {
  const value = record.kind === 'live' ? record.value.byteLength + (record.metadata?.length ?? 0) : 0;
  return overheadBytes + record.key.length + value;
}
