import type { Call } from '../model/call.ts';
import { MeridianError } from '../model/errors.ts';
import { limits } from '../model/limits.ts';
import { checkText } from '../model/text.ts';
import type { Clock } from '../runtime/clock.ts';

/** A readable stream of bytes or texts, of whichever runtime's own type. */
export interface ValueStream {
  getReader(): ValueReader;
}

export interface ValueReader {
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
  cancel(reason?: unknown): Promise<void>;
}

/** What may be put as a value. Bytes are not copied: they are to stay as they are until the write is answered. */
export type ValueBody = string | ArrayBuffer | ArrayBufferView | ValueStream;

/** A value as `put` takes it: a number, say, is its text, as in the runtime of Workers. */
export function bodyOf(value: unknown): ValueBody {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject ? (value as ValueBody) : `${value}`;
}

/** The call that a value is read for: a stream that stands still ends with it. */
export interface Within {
  readonly call: Pick<Call, 'deadlineMs' | 'signal'>;
  readonly clock: Clock;
}

/**
 * The value's bytes; at once, unless it is a stream, which is read to its end first, and given up beyond the limit.
 * @throws TypeError for anything else than a ValueBody; INVALID_ARGUMENT where a stream is longer than 25 MiB, or text has
 * a lone surrogate; DEADLINE_EXCEEDED and CANCELLED where a stream has not ended by then
 */
export function encodeValue(body: ValueBody, within: Within): Uint8Array | Promise<Uint8Array> {
  return encodeWhole(body) ?? readWithin(body as ValueStream, within);
}

/** Every empty value is this one, so that one that has become empty is told from it. */
const noBytes = new Uint8Array(0);

/**
 * A view whose buffer was transferred or shrunk since it was encoded has no bytes any more, and would be written so.
 * @throws INVALID_ARGUMENT, reason `value-detached`
 */
export function checkAttached(value: Uint8Array): void {
  if (value.byteLength > 0 || value === noBytes) return;
  const message = 'the bytes of the value were taken away before it was sent: leave them until the write is answered';
  throw new MeridianError('INVALID_ARGUMENT', message, { reason: 'value-detached' });
}

function encodeWhole(body: unknown): Uint8Array | undefined {
  const bytes = bytesOf(body);
  return bytes?.byteLength === 0 ? noBytes : bytes;
}

/** Of bytes a view of a fixed length, also where their buffer may grow. */
function bytesOf(body: unknown): Uint8Array | undefined {
  if (typeof body === 'string') {
    checkText(body, 'a value that is text');
    return Buffer.from(body);
  }
  if (body instanceof ArrayBuffer) return new Uint8Array(body, 0, body.byteLength);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  const isStream = typeof body === 'object' && body !== null && 'getReader' in body;
  if (isStream) return undefined;
  throw new TypeError('a value must be a string, an ArrayBuffer, an ArrayBufferView or a ReadableStream');
}

function readWithin(stream: ValueStream, { call, clock }: Within): Promise<Uint8Array> {
  const { deadlineMs, signal } = call;
  const reader = stream.getReader();
  return new Promise((resolve, reject) => {
    const giveUp = (error: unknown) => {
      reject(error);
      // Its source may have something open. How it takes that is nothing to the caller, who does not wait for it.
      reader.cancel(error).catch(() => {});
    };
    const abort = () =>
      giveUp(new MeridianError('CANCELLED', 'the call was given up', { reason: 'cancelled', cause: signal.reason }));
    const timer = clock.timer(deadlineMs - clock.monotonicMs(), () => {
      const message = 'the stream of the value did not end before the deadline passed';
      giveUp(new MeridianError('DEADLINE_EXCEEDED', message, { reason: 'deadline' }));
    });
    signal.addEventListener('abort', abort, { once: true });
    const forget = () => {
      timer.cancel();
      signal.removeEventListener('abort', abort);
    };
    readStream(reader).then(resolve, giveUp).then(forget, forget);
  });
}

async function readStream(reader: ValueReader): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Half of a character that a text ended with: the next text may begin with the rest.
  let half = '';
  for (;;) {
    const { done, value } = await reader.read();
    let piece: unknown = done ? '' : value;
    if (typeof piece === 'string') {
      const text = half + piece;
      half = done ? '' : (/[\ud800-\udbff]$/.exec(text)?.[0] ?? '');
      piece = text.slice(0, text.length - half.length);
    } else if (half !== '') piece = half; // Refused, as it stands alone.
    const chunk = encodeWhole(piece);
    if (chunk === undefined) throw new TypeError('a stream of values must yield bytes or texts');
    bytes += chunk.byteLength;
    if (bytes > limits.valueBytesMax) throw valueTooLarge(bytes);
    chunks.push(chunk);
    if (done) return bytes === 0 ? noBytes : Buffer.concat(chunks);
  }
}

/** As a node names it. What is read to its end nowhere has at least so many bytes. */
export function valueTooLarge(seen: number): MeridianError {
  const limit = limits.valueBytesMax;
  const message = `a value has at most ${limit} bytes; this one has more`;
  return new MeridianError('INVALID_ARGUMENT', message, { reason: 'value-too-large', limit, seen });
}
