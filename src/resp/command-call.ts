import type { Call } from '../model/call.ts';
import { MeridianError } from '../model/errors.ts';
import type { Clock, Timer } from '../runtime/clock.ts';

type Abort = (reason: Error) => void;

/** The calls of one client that listen. Once the client is gone, one that begins to listen is told at once. */
export class OpenCalls {
  readonly #listening = new Set<Abort>();
  #gone: Error | undefined;

  add(abort: Abort): void {
    if (this.#gone === undefined) this.#listening.add(abort);
    else abort(this.#gone);
  }

  delete(abort: Abort): void {
    this.#listening.delete(abort);
  }

  /** The client is gone. */
  abortAll(reason: Error): void {
    this.#gone = reason;
    for (const abort of [...this.#listening]) abort(reason);
  }
}

/** The Call of one command. `end` is to be called once the command is over. */
export interface CommandCall {
  readonly call: Call;
  readonly end: () => void;
}

/**
 * A call whose signal is aborted when the client goes away and when the deadline passes. The signal is made when it is
 * first looked at, which a read that is answered from memory never does.
 */
export function commandCall(clock: Clock, timeoutMs: number, open: OpenCalls): CommandCall {
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  let controller: AbortController | undefined;
  let timer: Timer | undefined;
  const end = () => {
    timer?.cancel();
    open.delete(abort);
  };
  const abort = (reason: Error) => {
    end();
    controller?.abort(reason);
  };
  const call: Call = {
    deadlineMs,
    get signal() {
      if (controller === undefined) {
        controller = new AbortController();
        timer = clock.timer(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
          abort(new MeridianError('DEADLINE_EXCEEDED', 'the command took too long', { reason: 'deadline' }));
        });
        open.add(abort);
      }
      return controller.signal;
    },
  };
  return { call, end };
}
