import type { ServerHttp2Stream } from 'node:http2';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { UploadGuard } from '../../src/rpc/server/upload-guard.ts';
import { FakeClock } from '../edge/fake-clock.ts';
import { roomsOf } from './loopback.ts';

const idleMs = 1000;

/** Of a call that has sent half of a message: its stream, and what it was answered. */
async function halfSent() {
  const clock = new FakeClock();
  const { uploads: room } = roomsOf(64 * 1024 * 1024);
  const guard = new UploadGuard({ room, clock, idleMs, isFramed: () => true, isBatch: () => false });
  const answers: object[] = [];
  const stream = Object.assign(new PassThrough(), {
    session: {},
    respond: (headers: object) => void answers.push(headers),
    close: () => {},
  });
  guard.watch(stream as unknown as ServerHttp2Stream, '/meridian.v1.KV/Pipeline');
  stream.write(Buffer.from([0, 0, 0, 0, 100, 1, 2, 3]));
  await new Promise((resolve) => setImmediate(resolve));
  const pass = (ms: number) => {
    for (let passedMs = 0; passedMs < ms; passedMs += idleMs / 10) clock.advance(idleMs / 10);
  };
  return { stream, answers, pass };
}

it('a message that stops before its end is given up', async () => {
  const { answers, pass } = await halfSent();
  pass(2 * idleMs);
  expect(answers).toEqual([expect.objectContaining({ 'grpc-status': '4' })]);
});

it('a message that the node itself does not read on is not', async () => {
  const { stream, answers, pass } = await halfSent();
  stream.pause();
  pass(10 * idleMs);
  expect(answers).toEqual([]);
  stream.resume();
  pass(2 * idleMs);
  expect(answers).toHaveLength(1);
});
