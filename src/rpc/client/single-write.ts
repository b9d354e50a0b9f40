import type { WriteRequest } from '../../model/key-value.ts';
import { encodeSession, optional } from '../codec/record-codec.ts';
import { encodeCondition, encodeExpiry, encodeWriteOptions } from '../codec/write-codec.ts';
import { pieceBytesMax } from '../proto.ts';

/** A write of one mutation as the one message of Put or Delete. */
export interface SingleWrite {
  readonly kind: 'put' | 'delete';
  readonly message: object;
}

/** Undefined if the write is a batch, or its value goes in pieces: then a stream carries it. */
export function singleWrite(request: WriteRequest): SingleWrite | undefined {
  const [mutation] = request.mutations;
  if (mutation === undefined || request.mutations.length > 1) return undefined;
  const message = {
    namespace: request.namespace,
    key: mutation.key,
    condition: encodeCondition(mutation.condition),
    options: encodeWriteOptions(request),
    session: encodeSession(request.session),
  };
  if (mutation.kind === 'delete') return { kind: 'delete', message };
  const { value, metadata, expiry } = mutation;
  // Key and metadata count too: if they break their limits by far, the node should refuse them, not the transport.
  if (value.byteLength + (metadata?.length ?? 0) + mutation.key.length > pieceBytesMax) return undefined;
  return {
    kind: 'put',
    message: { ...message, value, ...optional('metadata', metadata), expiry: encodeExpiry(expiry) },
  };
}
