import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { withEither } from '../../src/runtime/with-either.ts';

const untilAborted = (signal: AbortSignal) => {
  return new Promise<never>((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
};

describe('what runs with either of two signals', () => {
  it.each([0, 1])('ends with whichever is aborted, for its reason (%i)', async (which) => {
    const controllers = [new AbortController(), new AbortController()];
    const running = withEither(
      controllers.map(({ signal }) => signal),
      untilAborted,
    );
    controllers[which]?.abort(new Error(`of ${which}`));
    await expect(running).rejects.toThrow(`of ${which}`);
  });

  it('knows of one that was aborted before', async () => {
    const signals = [new AbortController().signal, AbortSignal.abort(new Error('long ago'))];
    await expect(withEither(signals, untilAborted)).rejects.toThrow('long ago');
  });

  it('leaves nothing behind in a signal that lives on, however it ends', async () => {
    const { signal } = new AbortController();
    await withEither([signal, new AbortController().signal], async () => {});
    await withEither([signal, AbortSignal.abort()], untilAborted).catch(() => {});
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
