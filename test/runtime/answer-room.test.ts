import { describe, expect, it } from 'vitest';
import { AnswerRoom } from '../../src/runtime/answer-room.ts';

const mebibyte = 1024 * 1024;
const call = { signal: new AbortController().signal };
const lengthOf = ({ length }: Buffer): number => length;

/** A disk that counts what is read from it at once. */
function diskOf(bytes: number) {
  const disk = { reads: 0, atOnce: 0, mostAtOnce: 0 };
  const read = async () => {
    disk.reads++;
    disk.mostAtOnce = Math.max(disk.mostAtOnce, ++disk.atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    disk.atOnce--;
    return Buffer.alloc(bytes);
  };
  return { disk, read };
}

describe('room for answers', () => {
  it('reads few large values at once, whoever asks for them, and lets go of what finds no room', async () => {
    const room = new AnswerRoom({ bytesMax: 16 * mebibyte });
    const { disk, read } = diskOf(mebibyte);
    const held = Array.from({ length: 100 }, (_, i) => {
      return room.hold({ caller: `c${i % 10}`, namespace: 'n', key: `k${i}`, call }, read, lengthOf);
    });
    const got: Array<() => void> = [];
    for (const one of held) void one.then((found) => found && got.push(found.release));
    await expect.poll(() => got.length).toBe(12);
    expect(room.bytesLeaving).toBe(12 * mebibyte);
    expect(disk.mostAtOnce).toBeLessThanOrEqual(4);
    let released = 0;
    while (released < 100) {
      for (const release of got.splice(0)) {
        release();
        released++;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(room.bytesLeaving).toBe(0);
  });

  it('holds one connection’s answers to its share', async () => {
    const room = new AnswerRoom({ bytesMax: 16 * mebibyte });
    const { read } = diskOf(mebibyte);
    let got = 0;
    for (let i = 0; i < 20; i++) {
      void room.hold({ caller: 'greedy', namespace: 'n', key: `k${i}`, call }, read, lengthOf).then(() => got++);
    }
    await expect.poll(() => got).toBe(6);
    const other = await room.hold({ caller: 'modest', namespace: 'n', key: 'k0', call }, read, lengthOf);
    expect(other?.answer.length).toBe(mebibyte);
  });

  it('reads a value again that was large for whoever waited meanwhile, once there is room', async () => {
    const room = new AnswerRoom({ bytesMax: 4 * mebibyte });
    const { disk, read } = diskOf(3 * mebibyte);
    const asked = { namespace: 'n', key: 'k', call };
    const [first, second] = ['a', 'b'].map((caller) => room.hold({ ...asked, caller }, read, lengthOf));
    (await first)?.release();
    expect((await second)?.answer.length).toBe(3 * mebibyte);
    expect(disk).toMatchObject({ reads: 2, mostAtOnce: 1 });
  });

  it('turns to a namespace’s small values at once when it has shown no others', async () => {
    const room = new AnswerRoom({ bytesMax: mebibyte });
    const { disk, read } = diskOf(100);
    const get = (i: number) => room.hold({ caller: 'c', namespace: 'n', key: `k${i}`, call }, read, lengthOf);
    for (let i = 0; i < 50; i++) await get(i);
    expect(room.expected('n')).toBe(0);
    await Promise.all(Array.from({ length: 64 }, (_, i) => get(i)));
    expect(disk.mostAtOnce).toBe(64);
  });
});
