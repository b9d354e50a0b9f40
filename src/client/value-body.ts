import { MeridianError } from '../model/errors.ts';
import { limits } from '../model/limits.ts';
import { checkText } from '../model/text.ts';

/** A readable stream of bytes or texts, of whichever runtime's own type. */
export interface ValueStream {
  getReader(): ValueReader;
}

export interface ValueReader {
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
  cancel(reason?: unknown): Promise<void>;
}

/** What may be put as a value. */
export type ValueBody = string | ArrayBuffer | ArrayBufferView | ValueStream;

/** A value as `put` takes it: a number, say, is its text, as in the runtime of Workers. */
export function bodyOf(value: unknown): ValueBody {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject ? (value as ValueBody) : `${value}`;
}

/**
 * The value's bytes; at once, unless it is a stream, which is read to its end first, and given up beyond the limit.
 * @throws TypeError for anything else than a ValueBody; INVALID_ARGUMENT where a stream is longer than 25 MiB, or text has
 * a lone surrogate
 */
export function encodeValue(body: ValueBody): Uint8Array | Promise<Uint8Array> {
  return encodeWhole(body) ?? readStream(body as ValueStream);
}

function encodeWhole(body: unknown): Uint8Array | undefined {
  if (typeof body === 'string') {
    checkText(body, 'a value that is text');
    return Buffer.from(body);
  }
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  const isStream = typeof body === 'object' && body !== null && 'getReader' in body;
  if (isStream) return undefined;
  throw new TypeError('a value must be a string, an ArrayBuffer, an ArrayBufferView or a ReadableStream');
}

async function readStream(stream: ValueStream): Promise<Uint8Array> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks);
    const chunk = encodeWhole(value);
    if (chunk === undefined) throw new TypeError('a stream of values must yield bytes or texts');
    bytes += chunk.byteLength;
    if (bytes > limits.valueBytesMax) {
      const error = new MeridianError('INVALID_ARGUMENT', `a value has at most ${limits.valueBytesMax} bytes`, {
        reason: 'value-too-long',
        limit: limits.valueBytesMax,
        seen: bytes,
      });
      await reader.cancel(error);
      throw error;
    }
    chunks.push(chunk);
  }
}
