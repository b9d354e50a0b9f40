/**
 * What the promise comes to, or the signal's reason once that is aborted: whoever waits is let go of then, with all that he
 * holds, however long the promise still takes.
 */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason);
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    const forget = () => signal.removeEventListener('abort', giveUp);
    promise.then(resolve, reject).then(forget, forget);
  });
}
