import type { Call } from '../../model/call.ts';
import { MeridianError } from '../../model/errors.ts';
import type { Clock } from '../../runtime/clock.ts';

/** Runs with a call whose signal is also aborted at its deadline, so that every wait of the exchange ends there. */
export async function withinDeadline<T>(call: Call, clock: Clock, run: (call: Call) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const timer = clock.timer(call.deadlineMs - clock.monotonicMs(), () =>
    late.abort(new MeridianError('DEADLINE_EXCEEDED', 'the request took too long', { reason: 'deadline' })),
  );
  try {
    return await run({ deadlineMs: call.deadlineMs, signal: AbortSignal.any([call.signal, late.signal]) });
  } finally {
    timer.cancel();
  }
}
