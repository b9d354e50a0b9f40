import type { WriteRequest } from '../../model/key-value.ts';
import { encodeSession, optional } from '../codec/record-codec.ts';
import { encodeCondition, encodeExpiry, encodeWriteOptions } from '../codec/write-codec.ts';
import { pieceBytesMax } from '../proto.ts';

/** The messages of a batch: a header, then mutations, large values in pieces of 1 MiB. */
export async function* writeMessages(request: WriteRequest): AsyncGenerator<object> {
  const { namespace, mutations, session } = request;
  yield { header: { namespace, options: encodeWriteOptions(request), session: encodeSession(session) } };
  for (const mutation of mutations) {
    const head = { key: mutation.key, condition: encodeCondition(mutation.condition) };
    if (mutation.kind === 'delete') {
      yield { mutation: { ...head, delete: {} } };
      continue;
    }
    const { value, metadata, expiry } = mutation;
    const put = {
      value: value.subarray(0, pieceBytesMax),
      ...optional('metadata', metadata),
      expiry: encodeExpiry(expiry),
    };
    yield { mutation: { ...head, put } };
    for (let at = pieceBytesMax; at < value.byteLength; at += pieceBytesMax) {
      yield { more: value.subarray(at, at + pieceBytesMax) };
    }
  }
}

interface Writing<T> {
  write(message: T): boolean;
  end(): unknown;
  once(event: 'drain' | 'close' | 'error', run: () => void): unknown;
  off(event: 'drain' | 'close' | 'error', run: () => void): unknown;
}

/** Sends all, waiting where the other side reads slowly, and ends the sending side. */
export async function sendMessages<T>(stream: Writing<T>, messages: AsyncIterable<T>): Promise<void> {
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
