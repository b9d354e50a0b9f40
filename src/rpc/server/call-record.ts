import { Metadata } from '@grpc/grpc-js';
import { toMeridianError } from '../../model/errors.ts';
import { isRequestId, requestIdHeader } from '../../model/request-id.ts';
import type { Served, Timing } from './call-of.ts';

/** What is told of one call, to whoever measures, logs, or asks for its id. */
export class CallRecord {
  readonly #timing: Timing;
  readonly #served: Served;
  readonly #startedMs: number;
  #requestId: string | undefined;

  constructor(timing: Timing, served: Served) {
    this.#timing = timing;
    this.#served = served;
    this.#startedMs = timing.clock.monotonicMs();
  }

  /** As its caller brought it; else made when it is first looked at, which a read from memory never does. */
  get requestId(): string {
    this.#requestId ??= this.broughtId ?? this.#timing.requestIds.next();
    return this.#requestId;
  }

  get broughtId(): string | undefined {
    const [id] = this.#served.metadata?.get(requestIdHeader) ?? [];
    return isRequestId(id) ? id : undefined;
  }

  /** Before its first answer. */
  giveId(): void {
    const headers = new Metadata();
    headers.set(requestIdHeader, this.requestId);
    this.#served.sendMetadata?.(headers);
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
    const level = code === 'INTERNAL' ? 'error' : 'debug';
    if (!logger.writes(level)) return;
    const { method, requestId } = this;
    const failure = level === 'error' ? { error: error?.stack } : { reason: error?.details.reason };
    logger.log(level, 'a call was answered', { method, code, ...failure, elapsedMs: Math.round(elapsedMs), requestId });
  }
}
