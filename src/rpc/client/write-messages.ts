import type { Mutation, WriteRequest } from '../../model/key-value.ts';
import { encodeSession, optional } from '../codec/record-codec.ts';
import { encodeCondition, encodeExpiry, encodeWriteOptions } from '../codec/write-codec.ts';
import { pieceBytesMax } from '../proto.ts';

/** Bytes of a mutation besides its key, value and metadata, at most: condition, expiry, the lengths of each. */
const mutationBytes = 128;
/** Bytes of mutations that travel in one message; a larger one has messages of its own. */
const togetherBytesMax = 256 * 1024;

/** The messages of a batch: a header, then mutations, small ones together, large values in pieces of 1 MiB. */
export function* writeMessages(request: WriteRequest): Generator<object> {
  const { namespace, mutations, session } = request;
  yield { header: { namespace, options: encodeWriteOptions(request), session: encodeSession(session) } };
  let items: object[] = [];
  let bytes = 0;
  for (const mutation of mutations) {
    const size = sizeOf(mutation);
    if (bytes + size > togetherBytesMax && items.length > 0) {
      yield { mutations: { items } };
      items = [];
      bytes = 0;
    }
    if (size <= togetherBytesMax) {
      items.push(encodeMutation(mutation));
      bytes += size;
    } else yield* alone(mutation);
  }
  if (items.length > 0) yield { mutations: { items } };
}

/** A mutation that is too large to travel with others. */
function* alone(mutation: Mutation): Generator<object> {
  yield { mutation: encodeMutation(mutation) };
  if (mutation.kind === 'delete') return;
  const { value } = mutation;
  for (let at = pieceBytesMax; at < value.byteLength; at += pieceBytesMax) {
    yield { more: value.subarray(at, at + pieceBytesMax) };
  }
}

/** With the first bytes of its value. */
function encodeMutation(mutation: Mutation): object {
  const head = { key: mutation.key, condition: encodeCondition(mutation.condition) };
  if (mutation.kind === 'delete') return { ...head, delete: {} };
  const { value, metadata, expiry } = mutation;
  const first = value.byteLength > pieceBytesMax ? value.subarray(0, pieceBytesMax) : value;
  return { ...head, put: { value: first, ...optional('metadata', metadata), expiry: encodeExpiry(expiry) } };
}

/** An upper bound of its bytes in a message. */
function sizeOf(mutation: Mutation): number {
  const { key } = mutation;
  if (mutation.kind === 'delete') return mutationBytes + 3 * key.length;
  return mutationBytes + 3 * (key.length + (mutation.metadata?.length ?? 0)) + mutation.value.byteLength;
}

interface Writing<T> {
  write(message: T): boolean;
  end(): unknown;
  once(event: 'drain' | 'close' | 'error', run: () => void): unknown;
  off(event: 'drain' | 'close' | 'error', run: () => void): unknown;
}

/** Sends all, waiting where the other side reads slowly, and ends the sending side. */
export async function sendMessages<T>(stream: Writing<T>, messages: AsyncIterable<T> | Iterable<T>): Promise<void> {
  let over = false;
  const ended = () => {
    over = true;
  };
  stream.once('close', ended);
  stream.once('error', ended);
  for await (const message of messages) {
    if (over) return;
    if (stream.write(message)) continue;
    await new Promise<void>((resolve) => {
      const done = () => {
        for (const event of ['drain', 'close', 'error'] as const) stream.off(event, done);
        resolve();
      };
      for (const event of ['drain', 'close', 'error'] as const) stream.once(event, done);
    });
  }
  if (!over) stream.end();
}
