import type { Call } from '../../model/call.ts';
import { isMeridianError, MeridianError } from '../../model/errors.ts';
import type { Clock } from '../../runtime/clock.ts';

/**
 * Runs with a call whose signal is also aborted at its deadline, so that every wait of the exchange ends there. That
 * is told in our own words, whoever noticed it: one who is called sees a caller who went away, or a transport's timer.
 */
export async function withinDeadline<T>(call: Call, clock: Clock, run: (call: Call) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const tooLate = new MeridianError('DEADLINE_EXCEEDED', 'the request took too long', { reason: 'deadline' });
  const timer = clock.timer(call.deadlineMs - clock.monotonicMs(), () => late.abort(tooLate));
  try {
    return await run({ deadlineMs: call.deadlineMs, signal: AbortSignal.any([call.signal, late.signal]) });
  } catch (thrown) {
    const cut = late.signal.aborted && isMeridianError(thrown, 'CANCELLED');
    throw cut || isMeridianError(thrown, 'DEADLINE_EXCEEDED') ? tooLate : thrown;
  } finally {
    timer.cancel();
  }
}
