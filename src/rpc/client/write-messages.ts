import type { Mutation, WriteRequest } from '../../model/key-value.ts';
import {
  batchTags,
  itemTag,
  type MeasuredMutation,
  measured,
  partTags,
  writeMutation,
} from '../codec/mutation-fields.ts';
import { encodeSession } from '../codec/record-codec.ts';
import { fieldBytes, WireWriter } from '../codec/wire-format.ts';
import { encodeWriteOptions, type WireBatchSize } from '../codec/write-codec.ts';
import { pieceBytesMax } from '../proto.ts';

/** Bytes of mutations that travel in one message; a larger mutation has messages of its own. */
const togetherBytesMax = 256 * 1024;

/**
 * The messages of a batch: a header, then mutations, small ones together, large values in pieces of 1 MiB.
 * @param serialize encodes the header, by the loader of .proto files
 */
export function* writeMessages(request: WriteRequest, serialize: (message: object) => Buffer): Generator<Buffer> {
  const { namespace, mutations, session } = request;
  const [options, size] = [encodeWriteOptions(request), sizeOf(mutations)];
  yield serialize({ header: { namespace, options, session: encodeSession(session), size } });
  let items: MeasuredMutation[] = [];
  let bytes = 0;
  for (const mutation of mutations) {
    const item = measured(mutation);
    const size = fieldBytes(item.bytes);
    if (bytes + size > togetherBytesMax && items.length > 0) {
      yield together(items, bytes);
      items = [];
      bytes = 0;
    }
    if (size <= togetherBytesMax) {
      items.push(item);
      bytes += size;
    } else yield* alone(mutation);
  }
  if (items.length > 0) yield together(items, bytes);
}

/** A call that is given up midway looks as if it had ended: by this size the node knows what is whole. */
function sizeOf(mutations: readonly Mutation[]): WireBatchSize {
  const bytesOf = (mutation: Mutation) => (mutation.kind === 'put' ? mutation.value.byteLength : 0);
  return { mutations: mutations.length, valueBytes: mutations.reduce((sum, each) => sum + bytesOf(each), 0) };
}

function together(items: readonly MeasuredMutation[], bytes: number): Buffer {
  const writer = new WireWriter(fieldBytes(bytes));
  writer.head(partTags.mutations, bytes);
  for (const item of items) {
    writer.head(itemTag, item.bytes);
    writeMutation(writer, batchTags, item);
  }
  return writer.written();
}

/** The messages of a mutation too large to travel with others: first with the beginning of its value, then the rest. */
function* alone(mutation: Mutation): Generator<Buffer> {
  const value = mutation.kind === 'put' ? mutation.value : undefined;
  const first = measured(
    mutation.kind === 'put' ? { ...mutation, value: mutation.value.subarray(0, pieceBytesMax) } : mutation,
  );
  const writer = new WireWriter(fieldBytes(first.bytes));
  writer.head(partTags.mutation, first.bytes);
  writeMutation(writer, batchTags, first);
  yield writer.written();
  for (let at = pieceBytesMax; value !== undefined && at < value.byteLength; at += pieceBytesMax) {
    yield piece(value.subarray(at, at + pieceBytesMax));
  }
}

function piece(bytes: Uint8Array): Buffer {
  const writer = new WireWriter(fieldBytes(bytes.byteLength));
  writer.head(partTags.more, bytes.byteLength);
  writer.bytes(bytes);
  return writer.written();
}

interface Writing<T> {
  write(message: T): boolean;
  end(): unknown;
  once(event: 'drain' | 'close' | 'error', run: () => void): unknown;
  off(event: 'drain' | 'close' | 'error', run: () => void): unknown;
}

/** Sends all, waits while the other side reads slowly, and ends the sending side. */
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
