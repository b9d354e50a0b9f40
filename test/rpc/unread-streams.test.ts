import { once } from 'node:events';
import { connect } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import type { FeedEvent } from '../../src/model/feed.ts';
import type { NamespaceId } from '../../src/model/namespace.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { encodeOpen } from '../../src/rpc/codec/follow-codec.ts';
import { services } from '../../src/rpc/proto.ts';
import { aCall, answerOf, overLoopback, recordOf, roomsOf, upstreamWith } from './loopback.ts';

const mebibyte = 1024 * 1024;
const namespace = 'a'.repeat(32) as NamespaceId;
const closing: Array<() => unknown> = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A node whose feed goes on for as long as its events are taken, and how many were. */
function endless(bytes: number): { readonly upstream: Upstream; taken: number; ended: number } {
  const node = { taken: 0, ended: 0, upstream: upstreamWith({}) };
  node.upstream = upstreamWith({
    find: async () => ({ id: namespace, title: 'n', home: '' as never }),
    get: async () => answerOf('k', Buffer.alloc(bytes)),
    follow: async function* (_open, _messages, signal): AsyncGenerator<FeedEvent> {
      try {
        while (!signal.aborted && node.taken++ < 10_000) {
          yield { kind: 'changes', records: [{ ...recordOf(`k${node.taken}`, Buffer.alloc(bytes)), namespace }] };
        }
      } finally {
        node.ended++;
      }
    },
  });
  return node;
}

const watch = services.kv.service['Watch'];
const follow = services.feed.service['Follow'];
const watched = { namespace: 'n', prefix: '', fromStart: true };
const followed = encodeOpen({
  ...{ protocol: 2, nonce: 'x', role: 'watch', values: { kind: 'all' }, start: { kind: 'nothing' } },
  node: { name: 'n', role: 'edge', id: '2'.repeat(16), region: '' },
  filter: { includes: [{ namespace, prefix: '' }], excludes: [] },
});

/** Streams whose client reads nothing at all. */
async function unread(
  address: string,
  { of, request, count }: { readonly of: typeof watch; readonly request: object; readonly count: number },
): Promise<ReadonlyArray<Promise<unknown>>> {
  const session = connect(`http://${address}`, { settings: { initialWindowSize: 0 } });
  session.on('error', () => {});
  closing.push(() => session.destroy());
  await once(session, 'remoteSettings');
  if (of === undefined) throw new Error('proto/ defines no such method');
  const message = of.requestSerialize(request);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Array.from({ length: count }, () => {
    const stream = session.request({ ':method': 'POST', ':path': of.path, 'content-type': 'application/grpc' });
    stream.on('error', () => {});
    stream.write(Buffer.concat([head, message]));
    if (of === watch) stream.end();
    return once(stream, 'close');
  });
}

it('watches that nobody reads share the room for large answers, and are cut off', async () => {
  const node = endless(mebibyte);
  const rooms = roomsOf(16 * mebibyte);
  const { address, remote, close } = await overLoopback(node.upstream, { rooms, requestTimeoutMs: 1000 });
  closing.push(close);
  const closed = await unread(address, { of: watch, request: watched, count: 20 });
  await expect.poll(() => node.taken).toBeGreaterThanOrEqual(4);
  await delay(300);
  // Half of the room that answers have is for one connection; beyond it each has made one that waits for room.
  expect(node.taken).toBeLessThanOrEqual(20);
  expect(rooms.answers.bytesLeaving).toBeLessThanOrEqual(6 * mebibyte + 20 * 1024);
  await Promise.all(closed);
  await expect.poll(() => rooms.answers.bytesLeaving).toBe(0);
  expect(node.ended).toBe(20);
  const get = { namespace: 'n', key: 'k', session: { vector: new Map(), stamp: '0'.repeat(32) } } as never;
  expect((await remote.get(get, aCall())).record?.key).toBe('k');
});

it('a watch of small values that nobody reads has as many bytes of them as one large value at the most, and stays', async () => {
  const node = endless(1024);
  const { address, close } = await overLoopback(node.upstream, { requestTimeoutMs: 200 });
  closing.push(close);
  const [closed] = await unread(address, { of: watch, request: watched, count: 1 });
  expect(await Promise.race([closed, delay(1000, 'it stays')])).toBe('it stays');
  expect(node.taken).toBeLessThan(64);
});

it('a feed that nobody reads has one large message in memory', async () => {
  const node = endless(mebibyte);
  const { address, close } = await overLoopback(node.upstream);
  closing.push(close);
  await unread(address, { of: follow, request: followed, count: 1 });
  await expect.poll(() => node.taken).toBeGreaterThanOrEqual(1);
  await delay(300);
  expect(node.taken).toBeLessThanOrEqual(2);
});
