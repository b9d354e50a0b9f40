import { describe, expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import type { Feed, FeedEvent } from '../../src/model/feed.ts';
import type { Filter } from '../../src/model/filter.ts';
import { type LogId, parseLogId } from '../../src/model/position.ts';
import { FollowLoop } from '../../src/replication/following/follow-loop.ts';
import { StalenessTracker } from '../../src/replication/following/staleness-tracker.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { type Clock, sleep } from '../../src/runtime/clock.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { VirtualTime } from '../support/virtual-time.ts';

const node = { name: 'u', role: 'origin' as const, id: parseLogId('1'.repeat(16)) ?? '', region: 'r' };
const caughtUp: readonly FeedEvent[] = [
  { kind: 'opened', node, nonce: 'n', clusterId: 'c', generation: 'g', wallMs: 0 },
  { kind: 'caught-up', vector: new Map(), floor: new Map(), stable: new Map() },
];

/**
 * Follows the feed for so long in virtual time; tells when it caught up, and with what each stream ended. `applyMs`: how long
 * changes take to be applied.
 */
async function followed(
  makeFeed: (clock: Clock) => Feed,
  probeIntervalMs: number,
  forMs: number,
  applyMs = 0,
): Promise<unknown[]> {
  const time = new VirtualTime();
  const clock: Clock = {
    wallMs: () => time.nowMs,
    monotonicMs: () => time.nowMs,
    timer: (delayMs, run) => time.at(delayMs, run),
  };
  const told: unknown[] = [];
  const ending = new AbortController();
  const feed = makeFeed(clock);
  const filter: Filter = { includes: [], excludes: [] };
  const loop = new FollowLoop({
    scope: 'copy',
    upstream: () => ({ name: 'u:1', feed, succeeded: () => {}, failed: () => {} }),
    sink: {
      start: async () => ({ kind: 'nothing' }),
      opened: async () => {},
      apply: (event) =>
        new Promise((resolve) => {
          if (event.kind === 'changes' && applyMs > 0) clock.timer(applyMs, resolve);
          else resolve();
        }),
      durable: () => new Map(),
      checkEcho: () => {},
      closed: () => {},
    },
    tracker: new StalenessTracker(clock, 1000),
    open: () => ({ protocol: 2, node, nonce: 'f', role: 'copy', filter, values: { kind: 'all' } }),
    clock,
    random: new SeededRandom(1),
    observer: {
      ...silentReplicationObserver,
      followCaughtUp: (of, upstream) => told.push([of, upstream]),
      followEnded: (_scope, _upstream, error) => told.push(error),
    },
    probeIntervalMs,
    silenceMsMax: 1000,
    backoff: { firstMs: 100_000, mostMs: 100_000 },
  });
  const running = loop.run(ending.signal);
  await time.runUntil(forMs);
  ending.abort(new Error('enough'));
  await running;
  return told;
}

describe('a follow loop', () => {
  const echoing =
    (first: readonly FeedEvent[]) =>
    (clock: Clock): Feed => ({
      async *follow(_open, messages, signal): AsyncGenerator<FeedEvent> {
        yield* first;
        const probes = messages[Symbol.asyncIterator]();
        const over = new Promise<undefined>((resolve) => {
          signal.addEventListener('abort', () => resolve(undefined), { once: true });
        });
        for (;;) {
          const probe = await Promise.race([probes.next(), over]);
          if (probe === undefined || probe.done === true) return;
          yield { kind: 'echo', id: probe.value.id, wallMs: clock.wallMs() };
        }
      },
    });

  it('says of a silent upstream that it was silent, whatever the transport makes of being given up', async () => {
    const silent = (): Feed => ({
      async *follow(_open, _messages, signal): AsyncGenerator<FeedEvent> {
        yield* caughtUp;
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        throw new MeridianError('CANCELLED', 'the call was given up', { reason: 'cancelled' });
      },
    });
    expect(await followed(silent, 100, 2000)).toMatchObject([
      ['copy', 'u:1'],
      { code: 'UNAVAILABLE', message: 'u:1 is silent' },
    ]);
  });

  const minute = 60_000;
  const opened = caughtUp.slice(0, 1);
  const hanging = (events: readonly FeedEvent[]): Feed => ({
    async *follow(_open, _messages, signal): AsyncGenerator<FeedEvent> {
      yield* events;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      signal.throwIfAborted();
    },
  });

  it.each([
    ['takes a stream and never opens it', [], 1],
    ['begins a scan and never goes on with it', opened, 30],
    ['begins to send all anew and never goes on', [...opened, { kind: 'resync', reason: 'asked' } as const], 30],
  ])('gives up an upstream that is there and %s, as another one may serve', async (_, events, minutes) => {
    const told = await followed(() => hanging(events), 1000, (minutes + 0.1) * minute);
    expect(told).toMatchObject([{ code: 'UNAVAILABLE', details: { reason: 'scan-silent' } }]);
  });

  it('bears with a scan that stands in line, and that says now and then how far it is', async () => {
    const slow = (clock: Clock): Feed => ({
      async *follow(_open, _messages, signal): AsyncGenerator<FeedEvent> {
        yield* opened;
        for (let i = 0; i < 5; i++) {
          await sleep(clock, 25 * minute, signal);
          yield { kind: 'changes', records: [], token: `${i}` };
        }
        yield* caughtUp.slice(1);
      },
    });
    expect((await followed(slow, 1000, 126 * minute))[0]).toEqual(['copy', 'u:1']);
  });

  it('bears with an upstream that says nothing but echoes, however rarely it is probed', async () => {
    expect(await followed(echoing(caughtUp), 10_000, 100_000)).toEqual([['copy', 'u:1']]);
  });

  it('does not take its own slow disk for a silent upstream', async () => {
    const lively = echoing([...caughtUp, { kind: 'changes', records: [] }]);
    expect(await followed(lively, 100, 10_000, 3000)).toEqual([['copy', 'u:1']]);
  });

  it('tells of tracked changes with one probe at a time, however many come, and of all of them', async () => {
    const told: Array<readonly number[] | undefined> = [];
    const flooding = (): Feed => ({
      async *follow(_open, messages): AsyncGenerator<FeedEvent> {
        yield* caughtUp;
        const probes = messages[Symbol.asyncIterator]();
        const next = async () => {
          const { value, done } = await probes.next();
          if (done !== true) told.push(value.tracked);
          return done === true ? 0 : value.id;
        };
        await next(); // The one of each stream's beginning.
        const position = { log: node.id as LogId, sequence: 1 };
        for (let id = 1; id <= 50; id++) yield { kind: 'changes', records: [], tracks: [{ id, position }] };
        yield { kind: 'echo', id: await next(), wallMs: 0 };
        yield { kind: 'echo', id: await next(), wallMs: 0 };
      },
    });
    await followed(flooding, 100_000, 100);
    expect(told).toEqual([undefined, [1], Array.from({ length: 49 }, (_, n) => n + 2)]);
  });
});
