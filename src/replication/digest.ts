import { createHash, type Hash } from 'node:crypto';
import { type Filter, matches } from '../model/filter.ts';
import type { NamespaceId } from '../model/namespace.ts';
import { isReadable, type LiveRecord } from '../model/record.ts';
import type { Snapshot, Stored } from '../store/store.ts';

export interface DigestOptions {
  readonly snapshot: Snapshot;
  readonly namespace: NamespaceId;
  /** What of the namespace is meant. */
  readonly filter: Filter;
  /** Seconds since 1970: what has expired by then is left out, wherever its value still is. */
  readonly second: number;
  readonly signal: AbortSignal;
}

/**
 * A digest of the live records of one namespace, in record order: key, value, metadata, expiry and stamp, and not the
 * position, which differs where a record was adopted. Equal exactly when these are (SHA-256).
 */
export async function digestOf(options: DigestOptions): Promise<{ readonly digest: string; readonly records: number }> {
  const { snapshot, namespace, filter, second, signal } = options;
  const hash = createHash('sha256');
  let records = 0;
  for await (const page of snapshot.records({ namespace })) {
    signal.throwIfAborted();
    for (const stored of page) {
      if (!matches(filter, namespace, stored.key)) continue;
      const record = await liveOf(stored, snapshot, second);
      if (record === undefined) continue;
      add(hash, record);
      records++;
    }
  }
  return { digest: hash.digest('hex'), records };
}

async function liveOf(stored: Stored, snapshot: Snapshot, second: number): Promise<LiveRecord | undefined> {
  if (!isReadable(stored, second * 1000)) return undefined;
  const { value, valueBytes: _valueBytes, ...head } = stored;
  if (value !== undefined) return { ...head, value };
  const record = await snapshot.read(stored);
  return record?.kind === 'live' ? record : undefined;
}

/** Each field behind its length, so that no two records read alike. */
function add(hash: Hash, { key, stamp, value, metadata, expiresAt }: LiveRecord): void {
  for (const field of [key, stamp, metadata ?? '', expiresAt?.toString() ?? '', value]) {
    const bytes = typeof field === 'string' ? Buffer.from(field) : field;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.byteLength);
    hash.update(length);
    hash.update(bytes);
  }
}
