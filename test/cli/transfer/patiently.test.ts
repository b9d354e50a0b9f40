import { describe, expect, it } from 'vitest';
import { patiently } from '../../../src/cli/transfer/patiently.ts';
import { MeridianError } from '../../../src/model/errors.ts';
import { leapingClock } from '../leaping-clock.ts';

const never = new AbortController().signal;
const random = { fraction: () => 1, hex: () => '' };

/** Tries what is refused for so long each time; tells how often that was, and when it gave up. */
async function refusedFor(retryAfterMs: number, retryMs: number) {
  const clock = leapingClock();
  let tries = 0;
  const run = async () => {
    tries++;
    throw new MeridianError('RESOURCE_EXHAUSTED', 'come again', { reason: 'busy', retryAfterMs });
  };
  const failure = await patiently(run, { clock, random, retryMs }, never).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  return { tries, atMs: clock.monotonicMs() };
}

describe('what is tried patiently', () => {
  it('waits as long as it is told to between tries', async () => {
    expect(await refusedFor(10_000, 30_000)).toEqual({ tries: 4, atMs: 30_000 });
  });

  it('gives up at once where it is told to come again after its time', async () => {
    expect(await refusedFor(3_600_000, 30_000)).toEqual({ tries: 1, atMs: 0 });
  });
});
