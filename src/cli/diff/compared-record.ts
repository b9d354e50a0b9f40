import { createHash } from 'node:crypto';
import type { Entry } from '../../client/listing.ts';
import { exactJson } from '../../model/json-text.ts';
import type { ImportRecord } from '../formats/import-record.ts';

/** What is compared of a record: its value only as a digest, so that millions of them can be sorted. */
export interface ComparedRecord {
  readonly key: string;
  /** SHA-256 of the value. */
  readonly digest: string;
  /** JSON text without spaces between; null = none. */
  readonly metadata: string | null;
  /** Seconds since 1970; null = never; undefined = some time after it is written, which is nothing to compare. */
  readonly expiration: number | null | undefined;
}

/** What may differ of two records of one key. */
export type Difference = 'value' | 'metadata' | 'expiry';

export function comparedEntry({ name, value, metadataText, expiration }: Entry<unknown>): ComparedRecord {
  return { key: name, digest: digestOf(value), metadata: plainJson(metadataText), expiration };
}

export function comparedImport({ key, value, metadataText, ...record }: ImportRecord): ComparedRecord {
  const expiration = record.expirationTtl === undefined ? (record.expiration ?? null) : undefined;
  return { key, digest: digestOf(value), metadata: plainJson(metadataText ?? null), expiration };
}

export function differencesOf(one: ComparedRecord, other: ComparedRecord): readonly Difference[] {
  const expiries = [one.expiration, other.expiration];
  return [
    ...(one.digest === other.digest ? [] : (['value'] as const)),
    ...(one.metadata === other.metadata ? [] : (['metadata'] as const)),
    ...(expiries.includes(undefined) || expiries[0] === expiries[1] ? [] : (['expiry'] as const)),
  ];
}

function digestOf(value: Uint8Array): string {
  return createHash('sha256').update(value).digest('base64');
}

function plainJson(text: string | null): string | null {
  return text === null ? null : exactJson(text);
}
