import { describe, expect, it } from 'vitest';
import { UploadRoom } from '../../src/runtime/upload-room.ts';

const mebibyte = 1024 * 1024;
const valueBytesMax = 26 * mebibyte;

/** How many of a thousand requests may wait in a room in which nothing is free. */
async function waitingIn(bytesMax: number, callers: number): Promise<number> {
  const room = new UploadRoom({ bytesMax, valueBytesMax, requestBytesMax: 100e6 });
  const gone = new AbortController();
  room.values.tryTake(bytesMax, 'whoever holds all of it');
  let refused = 0;
  const asked = Array.from({ length: 1000 }, async (_, n) => {
    if (!(await room.place(valueBytesMax, `caller ${n % callers}`).acquire(gone.signal))) refused++;
  });
  await new Promise((resolve) => setImmediate(resolve));
  gone.abort(new Error('enough'));
  await Promise.allSettled(asked);
  return asked.length - refused;
}

describe('room for requests', () => {
  it.each([
    ['64 MiB, by as many as have as much again in their transports', 64, 64],
    ['8 MiB, by a few all the same', 8, 16],
    ['1 GiB, by no more than by default', 1024, 256],
  ])('is waited for where it is %s', async (_, mebibytes, waiting) => {
    expect(await waitingIn(mebibytes * mebibyte, 1000)).toBe(waiting);
    expect(await waitingIn(mebibytes * mebibyte, 1)).toBe(waiting / 2);
  });
});
