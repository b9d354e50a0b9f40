import type { ServerResponse } from 'node:http';
import type { Call } from '../../model/call.ts';
import { limits } from '../../model/limits.ts';
import type { LiveRecord } from '../../model/record.ts';
import { emptySession } from '../../model/session.ts';
import type { Upstream } from '../../model/upstream.ts';
import { type CacheStatus, cacheStatus, tellWorstStatus } from './cache-status.ts';
import { keyInJson } from './key-in-path.ts';
import { Refusal } from './refusal.ts';
import { scalarText } from './scalar-text.ts';

/** Bytes of all values of one bulk get. */
const totalBytesMax = limits.valueBytesMax;
/** Keys asked for at once. */
export const keysAtOnce = 10;

export interface BulkGet {
  readonly keys: readonly string[];
  readonly type: 'text' | 'json';
  readonly withMetadata: boolean;
  readonly cacheTtl?: string;
}

/** The request of a bulk get as parsed JSON. @throws Refusal in the original's words */
export function parseBulkGet(body: unknown): BulkGet {
  const { keys, type, withMetadata, cacheTtl } = asObject(body);
  if (!Array.isArray(keys) || keys.length < 1) throw new Refusal(400, 'You must request a minimum of 1 key');
  if (keys.length > limits.batchGetKeysMax) {
    throw new Refusal(400, `You can request a maximum of ${limits.batchGetKeysMax} keys`);
  }
  if (type !== undefined && type !== 'text' && type !== 'json') {
    throw new Refusal(400, `"${scalarText(type)}" is not a valid type. Use "json" or "text"`);
  }
  return {
    keys: [...new Set(keys.map(keyInJson))],
    type: type ?? 'text',
    withMetadata: withMetadata === true || withMetadata === 'true',
    ...(cacheTtl === undefined || cacheTtl === null ? {} : { cacheTtl: scalarText(cacheTtl) }),
  };
}

export interface BulkRead {
  readonly namespace: string;
  readonly maxStalenessMs?: number;
  /** Whether an entry with metadata tells its expiry too, as the REST API does. */
  readonly withExpiration: boolean;
  /** Told of each value that is read. */
  readonly seen: (key: string, valueBytes: number) => void;
  /** Gets the status of the answers in its headers. */
  readonly response: ServerResponse;
}

/** The answer's JSON text: key → value, or key → {value, metadata}; null where absent. Values are embedded as they stand. */
export async function readBulk(upstream: Upstream, bulk: BulkGet, read: BulkRead, call: Call): Promise<string> {
  const { withExpiration, seen, response, ...options } = read;
  const statuses = new Set<CacheStatus>();
  const entries: string[] = [];
  let bytes = 0;
  for (let from = 0; from < bulk.keys.length; from += keysAtOnce) {
    const keys = bulk.keys.slice(from, from + keysAtOnce);
    const answers = await Promise.all(
      keys.map((key) => {
        const request = { ...options, key, session: emptySession };
        return upstream.peek(request) ?? upstream.get(request, call);
      }),
    );
    for (const [index, { record, source, past }] of answers.entries()) {
      statuses.add(cacheStatus({ source, past }));
      const live = record?.kind === 'live' ? record : undefined;
      const valueBytes = live?.value.byteLength ?? 0;
      seen(keys[index] ?? '', valueBytes);
      bytes += valueBytes;
      if (bytes > totalBytesMax) throw new Refusal(413, 'Total size of request exceeds the limit of 25MB', 10024);
      entries.push(`${JSON.stringify(keys[index])}:${entryJson(live, bulk, withExpiration)}`);
    }
  }
  tellWorstStatus(response, statuses);
  return `{${entries.join(',')}}`;
}

function entryJson(record: LiveRecord | undefined, bulk: BulkGet, withExpiration: boolean): string {
  if (record === undefined) return 'null';
  const value = bulk.type === 'json' ? checkedJson(record.value) : JSON.stringify(textOf(record.value));
  if (!bulk.withMetadata) return value;
  const expires = withExpiration && record.expiresAt !== undefined ? `,"expiration":${record.expiresAt}` : '';
  return `{"value":${value},"metadata":${record.metadata ?? 'null'}${expires}}`;
}

function checkedJson(value: Uint8Array): string {
  const text = textOf(value);
  try {
    JSON.parse(text);
  } catch {
    throw new Refusal(400, 'At least one of the requested keys corresponds to a non-json value', 10012);
  }
  return text;
}

function textOf(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
}

function asObject(body: unknown): Partial<Record<keyof BulkGet, unknown>> {
  if (typeof body === 'object' && body !== null) return body;
  throw new Refusal(400, 'The request body must be a JSON object');
}
