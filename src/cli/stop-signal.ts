import { MeridianError } from '../model/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { exitCodes } from './exit-code.ts';

/** What of a process is looked at. */
export interface SignalledProcess {
  on(name: 'SIGINT' | 'SIGTERM' | 'SIGHUP', run: (name: NodeJS.Signals) => void): unknown;
  exit(code: number): void;
}

/**
 * Milliseconds within which a second signal says what the first one said: a terminal signals the whole group, and npm,
 * which belongs to it, passes on what it got; `timeout` signals its child and then the group.
 */
const sameSignalMs = 500;

/** Aborted when the process is told to stop. Whoever asks twice does not want to wait: then it exits at once. */
export function stopSignal(signalled: SignalledProcess, clock: Clock): AbortSignal {
  const stopping = new AbortController();
  let firstMs = Number.POSITIVE_INFINITY;
  const stop = (name: NodeJS.Signals) => {
    const nowMs = clock.monotonicMs();
    if (!stopping.signal.aborted) {
      firstMs = nowMs;
      // Whatever waits throws it: the command was stopped, and did not fail.
      stopping.abort(new MeridianError('CANCELLED', `stopped by ${name}`, { reason: 'stopped' }));
    } else if (nowMs - firstMs > sameSignalMs) signalled.exit(exitCodes.stopped);
  };
  signalled.on('SIGINT', stop);
  signalled.on('SIGTERM', stop);
  // A terminal that is closed sends it. Nothing is to be read anew: a node that is to have other options is restarted.
  signalled.on('SIGHUP', stop);
  return stopping.signal;
}
