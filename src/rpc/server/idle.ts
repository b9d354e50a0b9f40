import { MeridianError } from '../../model/errors.ts';
import type { Clock } from '../../runtime/clock.ts';

export interface IdleBound {
  readonly clock: Clock;
  /** Milliseconds for which a stream may be idle. */
  readonly idleMs: number;
}

/** The result of the wait, unless it takes too long. @throws DEADLINE_EXCEEDED */
export function notIdle<T>(wait: Promise<T>, what: string, { clock, idleMs }: IdleBound): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = clock.timer(idleMs, () => {
      const message = `${what} for ${idleMs} ms`;
      reject(new MeridianError('DEADLINE_EXCEEDED', message, { reason: 'stream-idle', limit: idleMs }));
    });
    wait.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** The messages of a stream that must not be idle: its caller may have set no deadline. */
export async function* movingMessages<T>(messages: AsyncIterable<T>, bound: IdleBound): AsyncGenerator<T> {
  const iterator = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await notIdle(iterator.next(), 'the caller sent nothing', bound);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // Not waited for: an idle stream may not end either.
    iterator.return?.()?.catch(() => {});
  }
}
