import {
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  Metadata,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import type { Call } from '../../model/call.ts';
import { MeridianError } from '../../model/errors.ts';
import { requestIdHeader } from '../../model/request-id.ts';
import { type TraceContext, traceparentHeader, tracestateHeader } from '../../model/trace.ts';
import type { Clock } from '../../runtime/clock.ts';
import { forwardedHeader, hopsHeader, type services } from '../proto.ts';
import { fromServiceError, type NamedNode } from '../status.ts';
import { Clients, type ClientsOptions, type StartedCall } from './clients.ts';

export type Service = (typeof services)[keyof typeof services];

export interface ConnectionOptions extends ClientsOptions {
  /** How errors name the node, where callers are not to know its address. Default: by that. */
  readonly shownAs?: string;
  readonly clock: Clock;
  /** The token to present, as it is now. Default: none. */
  readonly credential?: () => string | undefined;
}

/** One connection to one node, as calls: deadlines and cancellation in, MeridianErrors out. */
export class Connection {
  readonly #clients: Clients;
  readonly #node: NamedNode;
  readonly #clock: Clock;

  readonly #credential: () => string | undefined;

  constructor({ credential = () => undefined, ...options }: ConnectionOptions) {
    this.#node = { address: options.address, shownAs: options.shownAs };
    this.#clock = options.clock;
    this.#credential = credential;
    this.#clients = new Clients(options);
  }

  /**
   * What travels beside the message. A call on behalf of a caller brings the caller's token; all others go by this
   * side's.
   * @throws PERMISSION_DENIED for a caller that this side knows by a certificate: it would act in its own name instead;
   * INVALID_ARGUMENT for a token that no header can carry
   */
  metadata({
    forwarded,
    hops,
    credential,
    isProvenHere,
    requestId,
    trace,
  }: Partial<Omit<Call, 'signal' | 'deadlineMs'>> = {}): Metadata {
    if (isProvenHere) throw provenHere();
    const metadata = new Metadata();
    const token = credential ?? this.#credential();
    if (token !== undefined) metadata.set('authorization', `Bearer ${sendable(token)}`);
    if (forwarded) metadata.set(forwardedHeader, '1');
    if (trace !== undefined) setTrace(metadata, trace.context);
    if (requestId !== undefined) metadata.set(requestIdHeader, requestId);
    if (hops !== undefined) metadata.set(hopsHeader, String(hops));
    return metadata;
  }

  /** Whether a call that begins now has a connection. */
  get isConnected(): boolean {
    return this.#clients.isConnected;
  }

  /** Begins a call for which `unary` is not made. */
  start<T extends StartedCall>(begin: (client: Client) => T): T {
    return this.#clients.start(begin);
  }

  unary<Q, A>(method: MethodDefinition<object, object>, request: Q, call: Call): Promise<A> {
    return new Promise<A>((resolve, reject) => {
      if (call.signal.aborted) return reject(cancelled(call.signal));
      const onAnswer = (error: ServiceError | null, answer?: A) => {
        call.signal.removeEventListener('abort', abort);
        if (error !== null) reject(fromServiceError(error, this.#node));
        else if (answer === undefined) reject(new Error('an answer without a message'));
        else resolve(answer);
      };
      const running = this.start((client) =>
        client.makeUnaryRequest<Q, A>(
          method.path,
          (message) => method.requestSerialize(message as object),
          (bytes) => method.responseDeserialize(bytes) as A,
          request,
          this.metadata(call),
          { deadline: this.deadline(call) },
          onAnswer,
        ),
      );
      const abort = () => running.cancel();
      call.signal.addEventListener('abort', abort, { once: true });
    });
  }

  /** A stream of bytes both ways, for messages encoded by hand; it lasts until it is cancelled or breaks. */
  duplex(path: string, passed: Pick<Call, 'hops'>): ClientDuplexStream<Buffer, Buffer> {
    const asItIs = (bytes: Buffer): Buffer => bytes;
    return this.start((client) => {
      return client.makeBidiStreamRequest<Buffer, Buffer>(path, asItIs, asItIs, this.metadata(passed), {});
    });
  }

  /** By the wall clock, as gRPC wants it. */
  deadline({ deadlineMs }: Pick<Call, 'deadlineMs'>): number {
    return this.#clock.wallMs() + (deadlineMs - this.#clock.monotonicMs());
  }

  /** The messages of a stream, until it ends or the signal is aborted; stopping early cancels it. */
  async *messages<A>(
    stream: Pick<ClientReadableStream<A>, 'cancel' | typeof Symbol.asyncIterator | 'on'>,
    signal: AbortSignal,
  ): AsyncGenerator<A> {
    const abort = () => stream.cancel();
    // After an early stop nobody reads on, and the cancellation comes back as an error.
    stream.on('error', () => {});
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    let ended = false;
    try {
      for await (const message of stream) yield message as A;
      ended = true;
    } catch (error) {
      ended = true;
      if (signal.aborted) throw cancelled(signal);
      throw fromServiceError(error, this.#node);
    } finally {
      signal.removeEventListener('abort', abort);
      if (!ended) stream.cancel();
    }
  }

  /** The error of a call: this side gave it up, or what the node or the transport said. */
  translated(error: unknown, signal: AbortSignal): MeridianError {
    return signal.aborted ? cancelled(signal) : fromServiceError(error, this.#node);
  }

  close(): void {
    this.#clients.close();
  }
}

/** The library's own error would show the token, such as one that was read from a file with its line end. */
function sendable(token: string): string {
  if (isPrintable(token)) return token;
  const message = 'a token is visible ASCII characters in one line; this one has others, such as a line end';
  throw new MeridianError('INVALID_ARGUMENT', message, { reason: 'bad-token' });
}

function isPrintable(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

/** A trace must not fail the call that it tells of. */
function setTrace(metadata: Metadata, { traceparent, tracestate }: TraceContext): void {
  metadata.set(traceparentHeader, traceparent);
  if (tracestate !== undefined && isPrintable(tracestate)) metadata.set(tracestateHeader, tracestate);
}

function cancelled(signal: AbortSignal): MeridianError {
  return new MeridianError('CANCELLED', 'the call was given up', { reason: 'cancelled', cause: signal.reason });
}

function provenHere(): MeridianError {
  const message =
    'a certificate proves who you are to this node alone, which would have to ask another one in your name: bring a token, or ask an origin';
  return new MeridianError('PERMISSION_DENIED', message, { reason: 'certificate-not-passed-on' });
}
