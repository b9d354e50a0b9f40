import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { untilAborted } from '../../src/runtime/until-aborted.ts';

describe('what waits until it is aborted', () => {
  it('comes to what the promise comes to, and listens no more', async () => {
    const { signal } = new AbortController();
    await expect(untilAborted(Promise.resolve(7), signal)).resolves.toBe(7);
    await expect(untilAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it.each(['before', 'after'])('ends with the reason where it is aborted %s it began', async (when) => {
    const ending = new AbortController();
    const gone = new Error('gone');
    if (when === 'before') ending.abort(gone);
    const waiting = untilAborted(new Promise(() => {}), ending.signal);
    if (when === 'after') ending.abort(gone);
    await expect(waiting).rejects.toBe(gone);
  });
});
