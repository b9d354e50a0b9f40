import { Metadata } from '@grpc/grpc-js';
import type { Call } from '../../model/call.ts';
import { toMeridianError } from '../../model/errors.ts';
import { isRequestId, requestIdHeader } from '../../model/request-id.ts';
import type { Trace, Tracer } from '../../model/trace.ts';
import { broughtTrace, type Served, type Timing } from './call-of.ts';

/** What an operation of a stream does. */
export type OperationKind = 'get' | 'write';

/** What is told of one call to metrics and logs, and its id. */
export class CallRecord {
  readonly #timing: Timing;
  readonly #served: Served;
  readonly #startedMs: number;
  /** Set if the call is traced. */
  readonly trace: Trace | undefined;
  #requestId: string | undefined;

  /** A stream that lasts is no step itself; its operations are. */
  constructor(timing: Timing, served: Served, lasts = false) {
    this.#timing = timing;
    this.#served = served;
    this.#startedMs = timing.clock.monotonicMs();
    this.trace = timing.tracer === undefined || lasts ? undefined : this.#enter(timing.tracer, this.requestId);
  }

  /** The id that the caller brought, else one made when it is first read, which a read from memory never does. */
  get requestId(): string {
    this.#requestId ??= this.broughtId ?? this.#timing.requestIds.next();
    return this.#requestId;
  }

  get broughtId(): string | undefined {
    const [id] = this.#served.metadata?.get(requestIdHeader) ?? [];
    return isRequestId(id) ? id : undefined;
  }

  /** Call before the first answer. */
  giveId(): void {
    const headers = new Metadata();
    headers.set(requestIdHeader, this.requestId);
    this.#served.sendMetadata?.(headers);
  }

  /** The id and trace of an operation that has to wait: by default the stream's id, then the operation's own number. */
  operation(number: number, kind: OperationKind, brought?: string): Pick<Call, 'requestId' | 'trace'> {
    const { tracer } = this.#timing;
    const requestId = isRequestId(brought) ? brought : `${this.requestId}.${number}`;
    if (tracer === undefined) return { requestId };
    return { requestId, trace: this.#enter(tracer, requestId, kind) };
  }

  #enter(tracer: Tracer, requestId: string, kind?: OperationKind): Trace | undefined {
    const [service = '', method = ''] = this.#served.getPath().slice(1).split('/');
    return tracer.enter(`${service}/${method}${kind === undefined ? '' : ` ${kind}`}`, broughtTrace(this.#served), {
      'rpc.system': 'grpc',
      'rpc.service': service,
      'rpc.method': method,
      'meridian.request_id': requestId,
    });
  }

  /** `/meridian.v1.KV/Get` → `KV/Get` */
  get method(): string {
    return this.#served.getPath().replace(/^.*\./, '');
  }

  ended(thrown?: unknown): void {
    const { clock, observer, logger } = this.#timing;
    const error = thrown === undefined ? undefined : toMeridianError(thrown);
    const elapsedMs = clock.monotonicMs() - this.#startedMs;
    const code = error?.code ?? 'OK';
    observer.answered(this.method, code, error?.details.reason, elapsedMs);
    this.trace?.end(thrown);
    const level = code === 'INTERNAL' ? 'error' : 'debug';
    if (!logger.writes(level)) return;
    const { method, requestId } = this;
    const failure = level === 'error' ? { error: error?.stack } : { reason: error?.details.reason };
    logger.log(level, 'a call was answered', { method, code, ...failure, elapsedMs: Math.round(elapsedMs), requestId });
  }
}
