import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import type { ClusterHandle } from '../../src/client/cluster-handle.ts';
import { everything } from '../../src/model/filter.ts';
import type { WireFollowResponse } from '../../src/rpc/codec/feed-codec.ts';
import { encodeOpen } from '../../src/rpc/codec/follow-codec.ts';
import { services } from '../../src/rpc/proto.ts';
import { metric, ProcessCluster, placeOf } from './process-cluster.ts';

const follow = followMethod();
/** gRPC's length prefix. */
const frameHeadBytes = 5;

const followers = 16;
const valueBytes = 64 * 1024;
const mebibyte = 1024 * 1024;
/** Written before anybody follows, so that what the process costs under writes alone is known. */
const warmUpBytes = 64 * mebibyte;
/** Written while the followers read nothing: ten times the ring. */
const writtenBytes = 160 * mebibyte;
const ringBytes = 16 * mebibyte;

function followMethod() {
  const { Follow: found } = services.feed.service;
  if (found === undefined) throw new Error('proto/ defines no Feed.Follow');
  return found;
}

/**
 * A follower of everything that reads its stream when it is told to, and not before. On HTTP/2 itself: a gRPC client
 * whose user reads nothing may still take in all that comes, and be the one whose memory grows.
 */
class RawFollower {
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  /** The keys received since it began to read. */
  readonly keys = new Set<string>();
  ended: Error | undefined;

  constructor(origin: ChildNode, id: number) {
    this.#session = connectHttp2(`http://${placeOf(origin.grpc)}`);
    this.#stream = this.#session.request({
      ':method': 'POST',
      ':path': follow.path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    for (const part of [this.#session, this.#stream]) {
      part.on('error', (error: Error) => {
        this.ended = error;
      });
    }
    const name = `slow-${id}`;
    const open = encodeOpen({
      protocol: 2,
      node: { name, role: 'edge', id: id.toString(16).padStart(16, '0'), region: '' },
      nonce: name,
      role: 'copy',
      filter: everything,
      values: { kind: 'all' },
      start: { kind: 'nothing' },
    });
    const bytes = follow.requestSerialize(open);
    const frame = Buffer.alloc(frameHeadBytes);
    frame.writeUInt32BE(bytes.length, 1);
    this.#stream.write(Buffer.concat([frame, bytes]));
  }

  /** Bytes that the process took from the network for it. */
  get receivedBytes(): number {
    return this.#session.socket.bytesRead;
  }

  async read(): Promise<void> {
    let pending = Buffer.alloc(0);
    for await (const chunk of this.#stream as AsyncIterable<Buffer>) {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= frameHeadBytes) {
        const end = frameHeadBytes + pending.readUInt32BE(1);
        if (pending.length < end) break;
        this.#take(follow.responseDeserialize(pending.subarray(frameHeadBytes, end)) as WireFollowResponse);
        pending = pending.subarray(end);
      }
    }
  }

  #take({ changes }: WireFollowResponse): void {
    const records = (changes?.records ?? []) as ReadonlyArray<{ readonly key: string }>;
    for (const { key } of records) if (key.startsWith('key-')) this.keys.add(key);
  }

  close(): void {
    this.#stream.close();
    this.#session.destroy();
  }
}

describe('followers that read nothing', () => {
  let cluster: ProcessCluster;
  const slow: RawFollower[] = [];

  beforeEach(() => {
    cluster = new ProcessCluster();
  });

  afterEach(async () => {
    for (const follower of slow.splice(0)) follower.close();
    await cluster.close();
  });

  async function write(client: ClusterHandle, first: number, bytes: number): Promise<number> {
    const last = first + bytes / valueBytes;
    let next = first;
    const writer = async () => {
      while (next < last) {
        const key = `key-${next++}`;
        await client.namespace('ns').put(key, new Uint8Array(valueBytes).fill(next));
      }
    };
    await Promise.all(Array.from({ length: 8 }, writer));
    return last;
  }

  const residentBytes = async (node: ChildNode) => (await metric(node, 'process_resident_memory_bytes')) ?? Number.NaN;

  it('cost the origin a bounded number of bytes, delay nobody else, and get everything once they read', async () => {
    const flags = ['--ring-bytes', `${ringBytes / mebibyte}MiB`, '--scan-stall', '1s'];
    const origin = await cluster.start('origin', 'iad', { flags });
    const client = cluster.connect(origin);
    await client.namespaces.create('ns');
    const warm = await write(client, 0, warmUpBytes);
    const beforeBytes = await residentBytes(origin);
    for (let id = 1; id <= followers; id++) slow.push(new RawFollower(origin, id));
    const last = await write(client, warm, writtenBytes);
    for (const follower of slow) expect(follower.receivedBytes).toBeLessThan(mebibyte);
    const grownBytes = (await residentBytes(origin)) - beforeBytes;
    // What was sent to each is what its transport holds, some mebibytes; what the origin keeps for all is the ring.
    const sentRecords = (await metric(origin, 'meridian_feed_records_sent_total{kind="changes"}')) ?? 0;
    expect(sentRecords * valueBytes).toBeLessThan(followers * 8 * mebibyte);
    // By the size of a process one sees little of this: allocators keep what they once had. A copy for each follower
    // would be two gibibytes and a half.
    expect(grownBytes).toBeLessThan(512 * mebibyte);

    const edge = await cluster.start('edge', 'fra', {
      flags: ['--upstream', placeOf(origin.grpc), '--replicate', 'ns'],
    });
    const reader = cluster.connect(edge);
    await expect
      .poll(
        () =>
          reader
            .namespace('ns')
            .getWithMetadata(`key-${last - 1}`)
            .then(({ source }) => source)
            .catch(() => ''),
        {
          timeout: 60_000,
        },
      )
      .toBe('copy');

    const [awake] = slow;
    awake?.read().catch(() => {}); // What ended it stands in `ended`.
    for (let tries = 0; awake !== undefined && awake.keys.size < last && tries < 9000; tries++) await delay(10);
    const lost = Array.from({ length: last }, (_, i) => `key-${i}`).filter((key) => !awake?.keys.has(key));
    expect(lost).toEqual([]);
  }, 300_000);
});
