import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Changes, FeedEvent, FollowerMessage, FollowOpen } from '../../src/model/feed.ts';
import { everything } from '../../src/model/filter.ts';
import { emptySession } from '../../src/model/session.ts';
import { emptyVector } from '../../src/model/version-vector.ts';
import type { Origin } from '../../src/origin/origin.ts';
import { BoundedQueue } from '../../src/runtime/bounded-queue.ts';
import { aCall, type Loopback, openOrigin, overLoopback } from './loopback.ts';

let origin: Origin;
let loopback: Loopback;
const closing: Array<() => Promise<void> | void> = [];

beforeEach(async () => {
  const opened = await openOrigin();
  closing.push(() => opened.close());
  origin = opened.origin;
  loopback = await overLoopback(origin);
  closing.push(() => loopback.close());
  await origin.create('books');
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const open: FollowOpen = {
  protocol: 2,
  node: { name: 'follower', role: 'edge', id: 'f'.repeat(16), region: 'here', location: [52.5, 13.4] },
  nonce: 'nonce-of-test',
  role: 'copy',
  filter: everything,
  values: { kind: 'all' },
  start: { kind: 'nothing' },
};

function put(key: string, value: Uint8Array = Buffer.from(key)) {
  return origin.write({ namespace: 'books', session: emptySession, mutations: [{ kind: 'put', key, value }] }, aCall());
}

/** A stream that is read step by step. */
function follow(more: Partial<FollowOpen> = {}) {
  const ending = new AbortController();
  const probes = new BoundedQueue<FollowerMessage>(16);
  const events = loopback.remote.follow({ ...open, ...more }, probes, ending.signal)[Symbol.asyncIterator]();
  closing.push(() => {
    ending.abort(new Error('the test is over'));
    probes.end();
  });
  const next = async (): Promise<FeedEvent> => {
    const { done, value } = await events.next();
    if (done === true) throw new Error('the stream ended');
    return value;
  };
  const until = async (isLast: (event: FeedEvent) => boolean): Promise<readonly FeedEvent[]> => {
    for (const seen: FeedEvent[] = []; ; ) {
      const event = await next();
      seen.push(event);
      if (isLast(event)) return seen;
    }
  };
  return { until, probes, ending };
}

const isCaughtUp = ({ kind }: FeedEvent) => kind === 'caught-up';
/** Of that key: an origin that was started just now writes of itself too. */
const isLiveChangeOf =
  (key: string) =>
  (event: FeedEvent): event is Changes =>
    event.kind === 'changes' && event.step !== undefined && event.records.some((record) => record.key === key);

function recordsOf(events: readonly FeedEvent[]) {
  return events.flatMap((event) => (event.kind === 'changes' ? event.records : []));
}

describe('the feed over gRPC', () => {
  it('begins with who serves, sends every record, and says when it has caught up', async () => {
    await put('a');
    const events = await follow().until(isCaughtUp);
    expect(events[0]).toMatchObject({ kind: 'opened', clusterId: origin.clusterId, node: origin.identity });
    expect(recordsOf(events)).toContainEqual(expect.objectContaining({ kind: 'live', key: 'a' }));
    expect(events.at(-1)).toMatchObject({ vector: origin.covered });
  });

  it('tells a later write with the step that it closes', async () => {
    const follower = follow();
    await follower.until(isCaughtUp);
    const { written, covered } = await put('later');
    const [last] = (await follower.until(isLiveChangeOf('later'))).slice(-1);
    expect(last).toMatchObject({ step: { vector: covered }, records: [{ key: 'later', stamp: written[0]?.stamp }] });
  });

  it('carries values of many messages whole, in a scan and live', async () => {
    const value = Buffer.alloc(5 * 1024 * 1024 + 1, 'meridian');
    await put('scanned', value);
    const follower = follow();
    const scanned = recordsOf(await follower.until(isCaughtUp)).find(({ key }) => key === 'scanned');
    await put('live', value);
    const live = recordsOf(await follower.until(isLiveChangeOf('live'))).find(({ key }) => key === 'live');
    for (const record of [scanned, live]) {
      if (record?.kind !== 'live') throw new Error('not sent whole');
      expect(value.equals(record.value)).toBe(true);
    }
  });

  it('announces what is larger than the follower takes inline', async () => {
    const follower = follow({ values: { kind: 'inline', bytesMax: 10 } });
    await follower.until(isCaughtUp);
    await put('large', Buffer.alloc(11));
    const [last] = recordsOf(await follower.until(isLiveChangeOf('large'))).slice(-1);
    expect(last).toMatchObject({ kind: 'announcement', key: 'large', valueBytes: 11 });
  });

  it('echoes a probe', async () => {
    const follower = follow();
    await follower.until(isCaughtUp);
    follower.probes.push({ kind: 'probe', id: 7, durable: emptyVector, wallMs: 1 });
    const [echo] = (await follower.until(({ kind }) => kind === 'echo')).slice(-1);
    expect(echo).toMatchObject({ id: 7, bound: { boundMs: 0, root: (await origin.status()).log } });
  });

  it('encodes a commit once for all followers of a like scope', async () => {
    const followers = [follow(), follow(), follow(), follow(), follow()];
    for (const follower of followers) await follower.until(isCaughtUp);
    const before = loopback.server.feed.encodes;
    await put('shared');
    for (const follower of followers) {
      expect(recordsOf(await follower.until(isLiveChangeOf('shared'))).slice(-1)).toMatchObject([{ key: 'shared' }]);
    }
    expect(loopback.server.feed.encodes - before).toBe(1);
  });

  it('refuses a follower of another cluster in the words of the origin', async () => {
    const refused = follow({ clusterId: 'another' }).until(isCaughtUp);
    await expect(refused).rejects.toMatchObject({ name: 'MeridianError', code: 'FAILED_PRECONDITION' });
  });

  it('is let go by the origin when the follower gives it up', async () => {
    const follower = follow();
    await follower.until(isCaughtUp);
    expect((await origin.status(aCall())).followers).toHaveLength(1);
    follower.ending.abort(new Error('enough'));
    await expect(follower.until(isCaughtUp)).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect
      .poll(async () => (await origin.status(aCall())).followers.length, { timeout: 10_000, interval: 20 })
      .toBe(0);
  });
});
