import type { Mark, RangeDigest, RangeDigestRequest } from '../../model/range-digest.ts';
import { decodeCursor, encodeCursor, type WireCursor } from './cursor-codec.ts';
import { decodeNamespaceId, decodeVector, encodeVector, optional, type WireVector } from './record-codec.ts';

export interface WireRangeRequest {
  readonly namespace: string;
  readonly prefix: string;
  readonly after?: string | null;
  readonly through?: string | null;
  readonly second: number;
  readonly marks: boolean;
  readonly cursor: WireCursor | null;
}

export interface WireRangeDigest {
  readonly vector: WireVector | null;
  readonly through?: string | null;
  readonly records: number;
  readonly digest: string;
  readonly marks: readonly Mark[];
}

export function encodeRangeRequest({ cursor, ...rest }: RangeDigestRequest): WireRangeRequest {
  return { ...rest, cursor: encodeCursor(cursor) };
}

export function decodeRangeRequest({ prefix, second, marks, ...rest }: WireRangeRequest): RangeDigestRequest {
  const namespace = decodeNamespaceId(rest.namespace);
  const ends = { ...optional('after', rest.after), ...optional('through', rest.through) };
  return { namespace, prefix, second, marks, cursor: decodeCursor(rest.cursor), ...ends };
}

export function encodeRangeDigest({ vector, ...rest }: RangeDigest): WireRangeDigest {
  return { ...rest, vector: encodeVector(vector) };
}

export function decodeRangeDigest({ records, digest, marks, ...rest }: WireRangeDigest): RangeDigest {
  return { vector: decodeVector(rest.vector), ...optional('through', rest.through), records, digest, marks };
}
