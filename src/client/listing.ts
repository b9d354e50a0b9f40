import type { ListAnswer, ListedKey } from '../model/key-value.ts';
import { type AnswerSource, answerSource, parseMetadata } from './answer.ts';

export interface ListOptions {
  /** 1 to 1000, which is the default. */
  readonly limit?: number;
  readonly prefix?: string | null;
  /** From an earlier page with the same prefix. */
  readonly cursor?: string | null;
}

export interface Key<Metadata> {
  readonly name: string;
  /** Seconds since 1970; unset = never. */
  readonly expiration?: number;
  /** Unset = none. */
  readonly metadata?: Metadata;
  /** The metadata's JSON text, where numbers have all their digits; unset = none. */
  readonly metadataText?: string;
  /** Empty where the record is damaged. */
  readonly version: string;
  /** Of the value. */
  readonly bytes: number;
  /** The record is held there and damaged: reading the key rejects with DATA_LOSS, and whether it has a value is unknown. */
  readonly damaged?: true;
}

export interface Entry<Metadata> {
  readonly name: string;
  readonly value: Uint8Array;
  readonly metadata: Metadata | null;
  /** The metadata's JSON text, where numbers have all their digits; `null` = none. */
  readonly metadataText: string | null;
  /** Seconds since 1970; `null` = never. */
  readonly expiration: number | null;
  readonly version: string;
  /** Hand it to `entries` to go on behind this entry; set where that is possible, at the end of a page. */
  readonly cursor?: string;
}

/** `list_complete` decides whether there is more; an empty page does not. */
export type ListResult<Metadata> = AnswerSource & { keys: Key<Metadata>[] } & (
    | { readonly list_complete: false; readonly cursor: string }
    | { readonly list_complete: true }
  );

export function toListResult<Metadata>(answer: ListAnswer): ListResult<Metadata> {
  const page = { keys: answer.keys.map((key) => toKey<Metadata>(key)), ...answerSource(answer) };
  if (answer.cursor === undefined) return { ...page, list_complete: true };
  return { ...page, list_complete: false, cursor: answer.cursor };
}

function toKey<Metadata>({ key, stamp, metadata, expiresAt, valueBytes, damaged }: ListedKey): Key<Metadata> {
  if (damaged) return { name: key, version: '', bytes: 0, damaged };
  return {
    name: key,
    version: stamp,
    bytes: valueBytes,
    ...(expiresAt === undefined ? {} : { expiration: expiresAt }),
    ...(metadata === undefined
      ? {}
      : { metadata: parseMetadata<Metadata>(metadata) as Metadata, metadataText: metadata }),
  };
}
