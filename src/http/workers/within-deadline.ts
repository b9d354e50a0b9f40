import type { Call } from '../../model/call.ts';
import { isMeridianError, MeridianError } from '../../model/errors.ts';
import type { Clock } from '../../runtime/clock.ts';

/**
 * Runs with a call whose signal is also aborted at its deadline, so that every wait of the exchange ends there. That
 * is told in our own words, whoever noticed it: one who is called sees a caller who went away, or a transport's timer.
 */
export async function withinDeadline<T>(
  { deadlineMs, signal, requestId, trace }: Call,
  clock: Clock,
  run: (call: Call) => Promise<T>,
): Promise<T> {
  // Joined by hand: AbortSignal.any costs each request as much as reading a small value (bench workers).
  const within = new AbortController();
  const onAbort = () => within.abort(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  let late = false;
  const timer = clock.timer(deadlineMs - clock.monotonicMs(), () => {
    late = true;
    within.abort(tooLate());
  });
  try {
    return await run({ deadlineMs, signal: within.signal, requestId, trace });
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
