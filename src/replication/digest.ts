import { createHash } from 'node:crypto';
import { type Filter, matches } from '../model/filter.ts';
import type { NamespaceId } from '../model/namespace.ts';
import type { Snapshot } from '../store/store.ts';
import { addRecord, liveAt } from './record-hash.ts';

export interface DigestOptions {
  readonly snapshot: Snapshot;
  readonly namespace: NamespaceId;
  /** What of the namespace is meant. */
  readonly filter: Filter;
  /** Seconds since 1970: what has expired by then is left out, wherever its value still is. */
  readonly second: number;
  readonly signal: AbortSignal;
}

/** A digest of the live records of one namespace, in record order. Equal exactly when these are (SHA-256). */
export async function digestOf(options: DigestOptions): Promise<{ readonly digest: string; readonly records: number }> {
  const { snapshot, namespace, filter, second, signal } = options;
  const hash = createHash('sha256');
  let records = 0;
  for await (const page of snapshot.records({ namespace })) {
    signal.throwIfAborted();
    for (const stored of page) {
      if (!matches(filter, namespace, stored.key)) continue;
      const record = await liveAt(second, stored, snapshot);
      if (record === undefined) continue;
      addRecord(hash, record);
      records++;
    }
  }
  return { digest: hash.digest('hex'), records };
}
