import type { BatchMutation } from '../../client/batch-write.ts';
import { UsageError } from '../usage-error.ts';

/** One record of a file, in any of the formats. */
export interface ImportRecord {
  readonly key: string;
  readonly value: Uint8Array;
  readonly metadata?: unknown;
  /** Seconds since 1970. */
  readonly expiration?: number;
  /** Seconds from the moment of writing. */
  readonly expirationTtl?: number;
}

export function toPut(record: ImportRecord): BatchMutation {
  return { kind: 'put', ...record };
}

/**
 * A record of an object in the bulk form of Workers KV (`key`, `value`, `base64`, `expiration`, `expiration_ttl`,
 * `metadata`), which our NDJSON shares. `name` stands for `key` as well, as `list --json` and wrangler print it.
 * A value that is no string is taken as its JSON text.
 */
export function recordOfObject(content: unknown, place: string): ImportRecord {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new UsageError(`${place} is no object`);
  }
  const fields = content as Readonly<Record<string, unknown>>;
  const key = fields['key'] ?? fields['name'];
  if (typeof key !== 'string') throw new UsageError(`${place} has no "key"`);
  const expiration = seconds(fields['expiration'], 'expiration', place);
  const expirationTtl = seconds(fields['expiration_ttl'], 'expiration_ttl', place);
  const metadata = fields['metadata'];
  return {
    key,
    value: valueIn(fields['value'], fields['base64'] === true, place),
    ...(metadata === undefined || metadata === null ? {} : { metadata }),
    ...(expiration === undefined ? {} : { expiration }),
    ...(expirationTtl === undefined ? {} : { expirationTtl }),
  };
}

function valueIn(value: unknown, base64: boolean, place: string): Uint8Array {
  if (value === undefined) throw new UsageError(`${place} has no "value"`);
  if (typeof value === 'string') return base64 ? bytesOfBase64(value, place) : Buffer.from(value);
  return Buffer.from(JSON.stringify(value));
}

/** Node passes over what is no base64, and would make another value of it. */
function bytesOfBase64(text: string, place: string): Uint8Array {
  const isBase64 = /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 !== 1;
  if (!isBase64) throw new UsageError(`${place}: "value" is said to be base64 and is not`);
  return Buffer.from(text, 'base64');
}

/** A number, or the text of one; null and the empty text are none. */
export function seconds(value: unknown, field: string, place: string): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const number = Number(value);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new UsageError(`${place}: "${field}" must be whole seconds; it is ${JSON.stringify(value)}`);
}
