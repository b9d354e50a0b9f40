import { afterEach, describe, expect, it } from 'vitest';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../../src/model/feed.ts';
import { everything } from '../../src/model/filter.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { parseLogId } from '../../src/model/position.ts';
import { parseStamp } from '../../src/model/stamp.ts';
import { windowBytes } from '../../src/rpc/proto.ts';
import { BoundedQueue } from '../../src/runtime/bounded-queue.ts';
import { aCall, type Loopback, overLoopback, upstreamWith } from './loopback.ts';

const log = parseLogId('1'.repeat(16));
const stamp = parseStamp(`${'0'.repeat(16)}${'1'.repeat(16)}`);
if (log === undefined || stamp === undefined) throw new Error('a bad sample');

const eventBytes = 256 * 1024;
/** Some times more than what the connection, both its ends and their buffers may hold. */
const eventsInAll = Math.ceil((8 * windowBytes) / eventBytes) + 256;

const event: FeedEvent = {
  kind: 'changes',
  records: [
    {
      kind: 'live',
      namespace: registryNamespace,
      key: 'k',
      stamp,
      position: { log, sequence: 1 },
      value: Buffer.alloc(eventBytes),
    },
  ],
};

const open: FollowOpen = {
  protocol: 2,
  node: { name: 'slow', role: 'edge', id: '2'.repeat(16), region: '' },
  nonce: 'x',
  role: 'copy',
  filter: everything,
  values: { kind: 'all' },
  start: { kind: 'nothing' },
};

describe('a follower that reads slowly', () => {
  let loopback: Loopback | undefined;

  afterEach(async () => {
    await loopback?.close();
  });

  it('makes the server take no more of the feed than a bounded number of bytes, and then gets all of it', async () => {
    let taken = 0;
    loopback = await overLoopback(
      upstreamWith({
        async *follow() {
          for (; taken < eventsInAll; taken++) yield event;
        },
      }),
    );
    const probes = new BoundedQueue<FollowerMessage>(1);
    const events = loopback.remote.follow(open, probes, aCall().signal)[Symbol.asyncIterator]();
    await events.next();
    let before = -1;
    await expect
      .poll(
        () => {
          const still = taken === before;
          before = taken;
          return still;
        },
        { timeout: 10_000, interval: 300 },
      )
      .toBe(true);
    expect(taken * eventBytes).toBeLessThan(3 * windowBytes + 16 * eventBytes);
    let seen = 1;
    while ((await events.next()).done !== true) seen++;
    expect(seen).toBe(eventsInAll);
    probes.end();
  });
});
