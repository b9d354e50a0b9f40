/**
 * What does each further follower cost an origin that takes 1,000 writes a second, and how late is a write at one of
 * them? Followers take the feed's bytes and look at none, so that what is measured is the origin; an edge is the one
 * that looks.
 */
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import { everything } from '../../src/model/filter.ts';
import { encodeOpen } from '../../src/rpc/codec/follow-codec.ts';
import { services } from '../../src/rpc/proto.ts';
import { runBench } from './support/bench-run.ts';
import { drive } from './support/drive.ts';
import { cpuSeconds, metric, placeOf, startPair } from './support/meridian-nodes.ts';
import { percentile } from './support/percentiles.ts';

const { Follow: method } = services.feed.service;
if (method === undefined) throw new Error('proto/ defines no Follow');
const follow = method;
const counts = [0, 1, 16, 64] as const;
const writesPerSecond = 1000;
const value = Buffer.alloc(100, 0x78);

await runBench('Fan-out: 1,000 writes/s to 0, 1, 16 and 64 followers beside an edge', async (run) => {
  const { figures, runs, durationMs } = run;
  const { origin, writer, reader } = await startPair(run);
  const sessions: ClientHttp2Session[] = [];
  run.onEnd(() => {
    for (const session of sessions) session.destroy();
  });
  // More followers are added and none taken away, so each round of the same count is in the same conditions.
  for (const count of counts) {
    while (sessions.length < count) sessions.push(follower(origin, sessions.length + 1));
    for (let round = -1; round < runs; round++) {
      const cpuBefore = await cpuSeconds(origin);
      const shapedBefore = await metric(origin, 'meridian_feed_steps_shaped_total');
      const writing = drive((n) => writer.put(`key-${n % 1000}`, value), {
        inFlight: 64,
        durationMs,
        rate: writesPerSecond,
      });
      const seenMs: number[] = [];
      const endMs = performance.now() + durationMs * 0.8;
      while (performance.now() < endMs) {
        const wanted = `${performance.now()}`;
        const begunMs = performance.now();
        const putting = writer.put('seen', wanted);
        while ((await reader.get('seen')) !== wanted && performance.now() < begunMs + 10_000);
        seenMs.push(performance.now() - begunMs);
        await putting;
      }
      const { perSecond } = await writing;
      if (round < 0) continue; // The first one warms up.
      const name = `${count} followers`;
      figures.add(`${name}, writes`, 'writes/s', perSecond);
      const seconds = durationMs / 1000;
      figures.add(
        `${name}, CPU of the origin`,
        '% of a core',
        ((await cpuSeconds(origin)) - cpuBefore) * (100 / seconds),
      );
      figures.add(`${name}, put to visible at the edge, p99`, 'ms', percentile(seenMs, 0.99));
      const shaped = (await metric(origin, 'meridian_feed_steps_shaped_total')) - shapedBefore;
      figures.add(`${name}, commits laid out`, '', shaped);
    }
  }
  figures.print();
  const cpu = (count: number) => figures.samples(`${count} followers, CPU of the origin`);
  const share = cpu(64).map((most, round) => {
    const [none = 0, one = 0] = [cpu(0)[round], cpu(1)[round]];
    return (most - one) / 63 / Math.max(one - none, 0.1);
  });
  figures.judge({ what: 'CPU of a further follower by the first one’s', figures: share, most: 0.15 });
  const late = figures.samples('64 followers, put to visible at the edge, p99');
  figures.judge({ what: 'put to visible with 64 followers, p99', figures: late, most: 50, unit: 'ms' });
});

/** Follows everything from now on and drops what comes. */
function follower(origin: ChildNode, id: number): ClientHttp2Session {
  const session = connectHttp2(`http://${placeOf(origin)}`);
  session.on('error', () => {}); // The bench is ending.
  const stream = session.request({
    ':method': 'POST',
    ':path': follow.path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  stream.resume();
  const bytes = follow.requestSerialize(
    encodeOpen({
      protocol: 2,
      node: { name: `follower-${id}`, role: 'edge', id: id.toString(16).padStart(16, '0'), region: '' },
      nonce: `follower-${id}`,
      role: 'copy',
      filter: everything,
      values: { kind: 'all' },
      start: { kind: 'nothing' },
    }),
  );
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(bytes.length, 1);
  stream.write(Buffer.concat([frame, bytes]));
  return session;
}
