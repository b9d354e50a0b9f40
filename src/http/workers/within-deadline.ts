import { isMeridianError, MeridianError } from '../../model/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { atDeadline } from '../at-deadline.ts';
import type { HttpCall } from '../exchange.ts';

/**
 * Runs with a call whose signal is also aborted at its deadline, so that every wait of the exchange ends there; while its
 * bytes move the deadline does too. That it has passed is told in our own words, whoever noticed it: one who is called sees a
 * caller who went away, or a transport's timer.
 */
export async function withinDeadline<T>(call: HttpCall, clock: Clock, run: (call: HttpCall) => Promise<T>): Promise<T> {
  const { signal, requestId, trace } = call;
  // Joined by hand: AbortSignal.any costs each request as much as reading a small value (bench workers).
  const within = new AbortController();
  const onAbort = () => within.abort(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  let late = false;
  const timer = atDeadline(call, { clock }, () => {
    late = true;
    within.abort(tooLate());
  });
  try {
    return await run({
      get deadlineMs() {
        return call.deadlineMs;
      },
      moved: () => call.moved(),
      ...{ signal: within.signal, requestId, trace },
    });
  } catch (thrown) {
    const cut = late && isMeridianError(thrown, 'CANCELLED');
    throw cut || isMeridianError(thrown, 'DEADLINE_EXCEEDED') ? tooLate() : thrown;
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', onAbort);
  }
}

function tooLate(): MeridianError {
  return new MeridianError('DEADLINE_EXCEEDED', 'the request took too long', { reason: 'deadline' });
}
