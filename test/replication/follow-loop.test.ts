import { expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import type { Feed, FeedEvent } from '../../src/model/feed.ts';
import { parseOriginId } from '../../src/model/position.ts';
import { FollowLoop } from '../../src/replication/follow-loop.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { StalenessTracker } from '../../src/replication/staleness-tracker.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { VirtualTime } from '../support/virtual-time.ts';

const node = { name: 'u', role: 'origin' as const, id: parseOriginId('1'.repeat(16)) ?? '', region: 'r' };
const nowhere = { vector: new Map(), floor: new Map(), settled: new Map() };

it('a follow loop that gives up a silent upstream says that it was silent, whatever the transport makes of that', async () => {
  const time = new VirtualTime();
  const clock = {
    wallMs: () => time.nowMs,
    monotonicMs: () => time.nowMs,
    timer: (delayMs: number, run: () => void) => time.at(delayMs, run),
  };
  const feed: Feed = {
    async *follow(_open, _messages, signal): AsyncGenerator<FeedEvent> {
      yield { kind: 'opened', node, nonce: 'n', clusterId: 'c', generation: 'g', wallMs: 0 };
      yield { kind: 'caught-up', ...nowhere };
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      throw new MeridianError('CANCELLED', 'the call was given up', { reason: 'cancelled' });
    },
  };
  const told: unknown[] = [];
  const ending = new AbortController();
  const loop = new FollowLoop({
    part: 'copy',
    upstream: () => ({ name: 'u:1', feed, succeeded: () => {}, failed: () => {} }),
    sink: {
      start: async () => ({ kind: 'nothing' }),
      opened: async () => {},
      apply: async () => {},
      durable: () => new Map(),
    },
    tracker: new StalenessTracker(clock, 1000),
    open: () => ({
      protocol: 1,
      node,
      nonce: 'f',
      role: 'copy',
      filter: { includes: [], excludes: [] },
      values: { kind: 'all' },
    }),
    clock,
    random: systemRandom,
    observer: {
      ...silentReplicationObserver,
      followCaughtUp: (part, upstream) => told.push([part, upstream]),
      followEnded: (_part, _upstream, error) => {
        told.push(error);
        ending.abort(new Error('enough'));
      },
    },
    probeIntervalMs: 100,
    silenceMsMax: 1000,
    backoff: { firstMs: 1, mostMs: 1 },
  });
  const running = loop.run(ending.signal);
  await time.runUntil(2000);
  await running;
  expect(told).toMatchObject([['copy', 'u:1'], { code: 'UNAVAILABLE', message: 'u:1 is silent' }]);
});
