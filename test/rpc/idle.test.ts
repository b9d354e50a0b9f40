import { describe, expect, it } from 'vitest';
import { movingMessages } from '../../src/rpc/server/idle.ts';
import { FakeClock } from '../edge/fake-clock.ts';

describe('a stream that must not stand still', () => {
  it('is read to its end while messages come', async () => {
    const clock = new FakeClock();
    const messages = async function* () {
      for (const message of [1, 2, 3]) {
        clock.advance(900);
        yield message;
      }
    };
    const seen: number[] = [];
    for await (const message of movingMessages(messages(), { clock, idleMs: 1000 })) seen.push(message);
    expect(seen).toEqual([1, 2, 3]);
  });

  it('is given up once nothing has come for as long as it may stand still', async () => {
    const clock = new FakeClock();
    let closed = false;
    const standing: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          closed = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const next = movingMessages(standing, { clock, idleMs: 1000 }).next();
    const failed = expect(next).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      details: { reason: 'stream-idle' },
    });
    await Promise.resolve();
    clock.advance(1000);
    await failed;
    expect(closed).toBe(true);
  });
});
