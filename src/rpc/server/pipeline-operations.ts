import type { Call } from '../../model/call.ts';
import { MeridianError } from '../../model/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { Deadlines } from '../../runtime/deadlines.ts';

/** An operation that is not answered yet, and the call that it makes. */
export class RunningOperation {
  /** Its signal is made when it is first read, which most never do. An own property, as calls are copied. */
  readonly call: Call;
  #controller: AbortController | undefined;
  #givenUp: MeridianError | undefined;

  constructor(
    { hops, forwarded }: Pick<Call, 'hops' | 'forwarded'>,
    deadlineMs: number,
    named: Pick<Call, 'requestId' | 'trace'>,
  ) {
    const signal = () => this.#signal();
    this.call = {
      deadlineMs,
      get signal() {
        return signal();
      },
      ...(hops === undefined ? {} : { hops }),
      ...(forwarded === undefined ? {} : { forwarded }),
      ...named,
    };
  }

  giveUp(why: MeridianError): void {
    this.#givenUp ??= why;
    this.#controller?.abort(this.#givenUp);
  }

  #signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#givenUp !== undefined) this.#controller.abort(this.#givenUp);
    }
    return this.#controller.signal;
  }
}

/** The operations of one stream that must wait: each ends by itself, late, given up, or with the stream. */
export class RunningOperations {
  readonly #running = new Map<number, RunningOperation>();
  readonly #deadlines: Deadlines;
  readonly #late: (id: number) => void;

  /** `late` answers an operation that is late, in place of what it waits for. */
  constructor(clock: Clock, late: (id: number) => void) {
    this.#late = late;
    this.#deadlines = new Deadlines(clock, (nowMs) => this.#endLate(nowMs));
  }

  get size(): number {
    return this.#running.size;
  }

  has(id: number): boolean {
    return this.#running.has(id);
  }

  begin(id: number, operation: RunningOperation): void {
    this.#running.set(id, operation);
    this.#deadlines.add(operation.call.deadlineMs);
  }

  /** False if it was answered already: this answer comes too late. */
  end(id: number, operation: RunningOperation): boolean {
    return this.#running.get(id) === operation && this.#running.delete(id);
  }

  cancel(id: number): void {
    this.#running.get(id)?.giveUp(new MeridianError('CANCELLED', 'the caller gave it up', { reason: 'cancelled' }));
  }

  /** The stream is over. */
  stop(why: MeridianError): void {
    this.#deadlines.stop();
    for (const operation of this.#running.values()) operation.giveUp(why);
    this.#running.clear();
  }

  #endLate(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [id, operation] of this.#running) {
      const { deadlineMs } = operation.call;
      if (deadlineMs > nowMs) nextMs = Math.min(nextMs, deadlineMs);
      else {
        this.#running.delete(id);
        operation.giveUp(tooLate());
        this.#late(id);
      }
    }
    return nextMs;
  }
}

export function tooLate(): MeridianError {
  return new MeridianError('DEADLINE_EXCEEDED', 'the deadline of the operation passed', { reason: 'deadline' });
}
