import type { GetAnswer, Provenance, Source } from '../model/key-value.ts';

/** Where an answer comes from and how old it may be. */
export interface AnswerSource {
  /** `origin`, or an edge's `copy` or `cache`. */
  readonly source: Source;
  /** Seconds, with fractions: a proven upper bound on the answer's age. `null` = unknown, which is not zero. */
  readonly staleness: number | null;
  /** True where that is more than was asked for, or unknown while a bound was asked for. */
  readonly past: boolean;
  /** The name of the node whose data these are. */
  readonly responder: string;
  /** As over HTTP: `HIT` where an edge answered from what it held, `STALE` where the answer is past, else `MISS`. */
  readonly cacheStatus: string | null;
}

/** One key's value, and all that is known of it. */
export interface Answer<Value, Metadata> extends AnswerSource {
  /** `null` where the key is absent, deleted or expired. */
  readonly value: Value | null;
  readonly metadata: Metadata | null;
  /** The metadata's JSON text, where numbers have all their digits; `null` = none. */
  readonly metadataText: string | null;
  /** 32 hex digits, greater for later writes; `null` where no live record was found. */
  readonly version: string | null;
  /** Seconds since 1970; `null` = never. */
  readonly expiration: number | null;
}

export function answerSource({ source, bound, past, responder }: Provenance): AnswerSource {
  const staleness = bound === undefined ? null : bound.boundMs / 1000;
  const cacheStatus = past ? 'STALE' : source === 'origin' ? 'MISS' : 'HIT';
  return { source, staleness, past, responder, cacheStatus };
}

export function toAnswer<Value, Metadata>(
  answer: GetAnswer,
  decode: (value: Uint8Array) => Value,
): Answer<Value, Metadata> {
  const from = answerSource(answer);
  const { record } = answer;
  if (record?.kind !== 'live') {
    return { value: null, metadata: null, metadataText: null, version: null, expiration: null, ...from };
  }
  return {
    value: decode(record.value),
    metadata: parseMetadata<Metadata>(record.metadata),
    metadataText: record.metadata ?? null,
    version: record.stamp,
    expiration: record.expiresAt ?? null,
    ...from,
  };
}

/** Metadata's JSON text as its value; unset = null. */
export function parseMetadata<Metadata>(text: string | undefined): Metadata | null {
  return text === undefined ? null : (JSON.parse(text) as Metadata);
}
