import type { KeyHash, RangeDigest, RangeDigestRequest } from '../../model/range-digest.ts';
import { decodeNamespaceId, decodeVector, encodeVector, optional, type WireVector } from './record-codec.ts';

export interface WireRangeRequest {
  readonly namespace: string;
  readonly prefix: string;
  readonly after?: string | null;
  readonly through?: string | null;
  readonly second: number;
  readonly hashes: boolean;
}

export interface WireRangeDigest {
  readonly vector: WireVector | null;
  readonly through?: string | null;
  readonly records: number;
  readonly digest: string;
  readonly hashes: readonly KeyHash[];
}

export function decodeRangeRequest({ prefix, second, hashes, ...rest }: WireRangeRequest): RangeDigestRequest {
  const namespace = decodeNamespaceId(rest.namespace);
  const ends = { ...optional('after', rest.after), ...optional('through', rest.through) };
  return { namespace, prefix, second, hashes, ...ends };
}

export function encodeRangeDigest({ vector, ...rest }: RangeDigest): WireRangeDigest {
  return { ...rest, vector: encodeVector(vector) };
}

export function decodeRangeDigest({ records, digest, hashes, ...rest }: WireRangeDigest): RangeDigest {
  return { vector: decodeVector(rest.vector), ...optional('through', rest.through), records, digest, hashes };
}
