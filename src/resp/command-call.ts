import type { Call } from '../model/call.ts';
import { MeridianError } from '../model/errors.ts';
import type { Clock, Timer } from '../runtime/clock.ts';

/** What is told to the calls of one client when it goes away. */
export type OpenCalls = Set<(reason: Error) => void>;

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
        open.add(abort);
        timer = clock.timer(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
          abort(new MeridianError('DEADLINE_EXCEEDED', 'the command took too long', { reason: 'deadline' }));
        });
      }
      return controller.signal;
    },
  };
  return { call, end };
}
