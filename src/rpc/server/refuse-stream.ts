import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { MeridianError } from '../../model/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { toStatus } from '../status.ts';

/** Milliseconds for the answer to reach the caller before its stream is reset: a reset overtakes what waits to be sent. */
const lingerMs = 1000;

/** Answers a call with an error before, or without, its handler: an answer of trailers alone. */
export function refuseStream(stream: ServerHttp2Stream, error: MeridianError, clock: Clock): void {
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent) {
    stream.close(constants.NGHTTP2_CANCEL);
    return;
  }
  const { code, details, metadata } = toStatus(error);
  const headers: OutgoingHttpHeaders = {
    ':status': 200,
    'content-type': 'application/grpc+proto',
    'grpc-status': String(code ?? status.UNKNOWN),
    'grpc-message': encodeURI(details ?? ''),
    ...metadata?.toHttp2Headers(),
  };
  stream.on('error', () => {});
  stream.respond(headers, { endStream: true });
  // What the caller still sends is read and dropped, and the caller is told to stop.
  stream.resume();
  const late = clock.timer(lingerMs, () => stream.close(constants.NGHTTP2_NO_ERROR));
  stream.once('close', () => late.cancel());
}

/** A refusal for now, with the time after which to try again. */
export function exhausted(message: string, reason: string, limit: number): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', message, { reason, limit, retryAfterMs: 1000 });
}

export type StreamHandler = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  rawHeaders: string[],
) => void;
