import type { Clock, Timer } from '../runtime/clock.ts';
import type { HttpCall } from './exchange.ts';

/** Runs so many milliseconds behind the call's deadline, also where that moves meanwhile. */
export function atDeadline(
  call: Pick<HttpCall, 'deadlineMs'>,
  { clock, lingerMs = 0 }: { readonly clock: Clock; readonly lingerMs?: number },
  run: () => void,
): Timer {
  const leftMs = () => call.deadlineMs + lingerMs - clock.monotonicMs();
  const look = (): Timer => {
    return clock.timer(leftMs(), () => {
      if (leftMs() > 0) timer = look();
      else run();
    });
  };
  let timer = look();
  return { cancel: () => timer.cancel() };
}
