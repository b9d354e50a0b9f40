import { EventEmitter, once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type Http2Server } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { Upstream } from '../../src/model/upstream.ts';
import { connectionWindowBytes, services, streamWindowBytes } from '../../src/rpc/proto.ts';
import type { RpcServerOptions } from '../../src/rpc/server/rpc-server.ts';
import { SessionGuard } from '../../src/rpc/server/session-guard.ts';
import { UploadGuard } from '../../src/rpc/server/upload-guard.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { aCall, type Loopback, overLoopback, roomsOf, upstreamWith } from './loopback.ts';

const mebibyte = 1024 * 1024;
const closing: Array<() => Promise<void> | void> = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serve(parts: Partial<Upstream>, options: Partial<RpcServerOptions> = {}): Promise<Loopback> {
  const loopback = await overLoopback(upstreamWith(parts), options);
  closing.push(() => loopback.close());
  return loopback;
}

/** A caller that speaks HTTP/2 itself, so that it may stop wherever it likes. */
async function session({ address }: Loopback): Promise<ClientHttp2Session> {
  const opened = connect(`http://${address}`);
  opened.on('error', () => {});
  closing.push(() => opened.destroy());
  await once(opened, 'remoteSettings');
  return opened;
}

interface Raw {
  readonly stream: ClientHttp2Stream;
  /** The status that the call ends with; undefined where it is cut. */
  readonly status: Promise<string | undefined>;
}

function call(on: ClientHttp2Session, path: string, more: Record<string, string> = {}): Raw {
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const stream = on.request({ ...headers, ...more });
  let seen: string | undefined;
  const see = (headers: Record<string, unknown>) => {
    const { 'grpc-status': value } = headers;
    if (typeof value === 'string') seen = value;
  };
  stream
    .on('response', see)
    .on('trailers', see)
    .on('error', () => {});
  stream.resume();
  const status = new Promise<string | undefined>((resolve) => stream.once('close', () => resolve(seen)));
  return { stream, status };
}

const put = services.kv.service['Put'];
const putPath = put?.path ?? '';

function putFrame(key: string, bytes: number): Buffer {
  if (put === undefined) throw new Error('proto/ defines no KV.Put');
  const message = put.requestSerialize({ namespace: 'n', key, value: Buffer.alloc(bytes) });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function zipped(frame: Buffer): Buffer {
  const message = gzipSync(frame.subarray(5));
  const head = Buffer.alloc(5, 1);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

describe('the connections of the gRPC server', () => {
  it('may have more on its way than HTTP/2 has by default, so that an upload is as fast as the line', async () => {
    const opened = await session(await serve({}));
    await expect.poll(() => opened.remoteSettings.initialWindowSize).toBe(streamWindowBytes);
    await expect.poll(() => opened.state.remoteWindowSize).toBe(connectionWindowBytes);
  });

  it('are told to come again later when as many calls are under way as may be, while health is answered', async () => {
    const loopback = await serve({ get: () => new Promise(() => {}) }, { callsMax: 2 });
    const request = { namespace: 'n', key: 'k', session: { vector: new Map(), stamp: undefined } } as never;
    const giveUp = new AbortController();
    const under = [1, 2].map(() => loopback.remote.get(request, aCall(giveUp.signal)).catch(() => {}));
    const third = await session(loopback);
    await expect
      .poll(() => loopback.remote.get(request, aCall()).catch(({ code, details }) => ({ code, ...details })))
      .toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'too-many-calls', retryAfterMs: 1000 });
    const health = call(third, '/grpc.health.v1.Health/Check');
    health.stream.end(Buffer.alloc(5));
    expect(await health.status).toBe('0');
    giveUp.abort(new Error('enough'));
    await Promise.all(under);
  });

  it('may ask for health without an end, and not without a number', async () => {
    const opened = await session(await serve({}));
    const watches = Array.from({ length: 64 }, () => call(opened, '/grpc.health.v1.Health/Watch'));
    for (const { stream } of watches) stream.end(Buffer.alloc(5));
    const more = call(opened, '/grpc.health.v1.Health/Watch');
    more.stream.end(Buffer.alloc(5));
    expect(await more.status).toBe('8');
    watches[0]?.stream.close();
    const ask = async () => {
      const check = call(opened, '/grpc.health.v1.Health/Check');
      check.stream.end(Buffer.alloc(5));
      return check.status;
    };
    await expect.poll(ask).toBe('0');
  });

  it('beyond their number are answered health alone, and all else once there is room', async () => {
    const loopback = await serve({ namespaces: async () => [] }, { connectionsMax: 1 });
    const first = await session(loopback);
    const busy = call(first, putPath);
    await expect.poll(() => busy.stream.pending).toBe(false);
    const second = await session(loopback);
    const ask = async (path: string) => {
      const asked = call(second, path);
      asked.stream.end(Buffer.alloc(5));
      return asked.status;
    };
    const list = services.namespaces.service['List']?.path ?? '';
    await expect.poll(() => ask(list)).toBe('8');
    expect(await ask('/grpc.health.v1.Health/Check')).toBe('0');
    first.destroy();
    await expect.poll(() => ask(list)).toBe('0');
  });

  it('hold no more of requests that are not whole than there is room, and read on when there is', async () => {
    const written: string[] = [];
    const write: Upstream['write'] = async ({ mutations }) => {
      written.push(mutations[0]?.key ?? '');
      throw new Error('enough');
    };
    const loopback = await serve({ write }, { rooms: roomsOf(4 * mebibyte) });
    const [first, second] = [await session(loopback), await session(loopback)];
    const stalled = call(first, putPath);
    await new Promise((sent) => stalled.stream.write(putFrame('stalled', 2 * mebibyte).subarray(0, -1), sent));
    const waiting = call(second, putPath);
    waiting.stream.end(putFrame('waiting', 2 * mebibyte));
    const small = call(second, putPath);
    small.stream.end(putFrame('small', 100));
    await small.status;
    expect(written).toEqual(['small']);
    // What is not read on stays with its sender.
    expect(waiting.stream.writableFinished).toBe(false);
    stalled.stream.close();
    await waiting.status;
    expect(written).toEqual(['small', 'waiting']);
  });

  it('have room for what compressed requests may become, or do not begin them; batches come uncompressed', async () => {
    const begun: string[] = [];
    const write: Upstream['write'] = ({ mutations }) => {
      begun.push(mutations[0]?.key ?? '');
      return new Promise(() => {});
    };
    const caller = await session(await serve({ write }, { rooms: roomsOf(8 * mebibyte) }));
    const compressed = { 'grpc-encoding': 'gzip' };
    const puts = ['a', 'b'].map((key) => {
      const put = call(caller, putPath, compressed);
      put.stream.end(zipped(putFrame(key, 3 * mebibyte)));
      return put;
    });
    expect(await puts[1]?.status).toBe('8');
    await expect.poll(() => begun).toEqual(['a']);
    const batch = call(caller, services.kv.service['Write']?.path ?? '', compressed);
    batch.stream.end(zipped(putFrame('c', 10)));
    expect(await batch.status).toBe('12');
    puts[0]?.stream.close();
    await puts[0]?.status;
    await expect
      .poll(async () => {
        const again = call(caller, putPath, compressed);
        again.stream.end(zipped(putFrame('d', 10)));
        await Promise.race([again.status, delay(100)]);
        return begun.includes('d');
      })
      .toBe(true);
  });

  it('take no more room for a message than one may have, whatever length it says', async () => {
    const write: Upstream['write'] = async () => {
      throw new Error('enough');
    };
    const rooms = roomsOf(16 * mebibyte);
    const loopback = await serve({ write }, { rooms });
    const liar = call(await session(loopback), services.kv.service['Pipeline']?.path ?? '');
    const head = Buffer.alloc(5);
    head.writeUInt32BE(2 ** 32 - 1, 1);
    await new Promise((sent) => liar.stream.write(head, sent));
    await expect.poll(() => rooms.uploads.values.bytesInUse).toBeGreaterThan(0);
    const large = call(await session(loopback), putPath);
    large.stream.end(putFrame('large', 3 * mebibyte));
    expect(await Promise.race([large.status, delay(5000, 'it waits')])).toBe('13');
  });

  it('are told so when a request stands still before it is whole', async () => {
    const loopback = await serve({}, { requestTimeoutMs: 200 });
    const stalled = call(await session(loopback), putPath);
    stalled.stream.write(putFrame('stalled', mebibyte).subarray(0, -1));
    expect(await stalled.status).toBe('4');
  });

  it.each([
    ['/grpc.health.v1.Health/Check', '4'],
    ['/grpc.health.v1.Health/Watch', '4'],
    ['/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', '4'],
    // Its headers are on their way already, and no status goes after them.
    [services.feed.service['Follow']?.path ?? '', undefined],
  ])('are cut off where a message of %s stands still before it is whole', async (path, told) => {
    const loopback = await serve({}, { requestTimeoutMs: 200 });
    const stalled = call(await session(loopback), path);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(mebibyte, 1);
    stalled.stream.write(Buffer.concat([head, Buffer.alloc(mebibyte - 1)]));
    expect(await stalled.status).toBe(told);
  });

  it('are cut off from an answer that stands still unread, whose room is free then, and that takes its time to come', async () => {
    const value = Buffer.alloc(2 * mebibyte);
    const position = { log: '1'.repeat(16), sequence: 1 };
    const record = { kind: 'live', namespace: 'a'.repeat(32), key: 'k', stamp: '1'.repeat(32), position, value };
    const provenance = { namespace: 'a'.repeat(32), source: 'origin', past: false, covered: new Map(), responder: 'o' };
    const session_ = { vector: new Map(), stamp: '0'.repeat(32) };
    const rooms = roomsOf(16 * mebibyte);
    // Longer under way than an answer may stand still.
    const get = () => delay(400).then(() => ({ ...provenance, record, session: session_ }) as never);
    const loopback = await serve({ get }, { rooms, requestTimeoutMs: 200 });
    const opened = await session(loopback);
    const read = services.kv.service['Get'];
    if (read === undefined) throw new Error('proto/ defines no KV.Get');
    const message = read.requestSerialize({ namespace: 'n', key: 'k' });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    const unread = opened.request({ ':method': 'POST', ':path': read.path, 'content-type': 'application/grpc' });
    unread.on('error', () => {});
    const closed = once(unread, 'close');
    unread.end(Buffer.concat([head, message]));
    await expect.poll(() => rooms.answers.bytesLeaving, { timeout: 10_000 }).toBeGreaterThan(mebibyte);
    await closed;
    await expect.poll(() => rooms.answers.bytesLeaving, { timeout: 10_000 }).toBe(0);
    const whole = call(opened, read.path);
    whole.stream.end(Buffer.concat([head, message]));
    expect(await whole.status).toBe('0');
  });

  it('may be reset with any code while their calls wait for their turn', () => {
    const http2 = new EventEmitter();
    const begun: unknown[] = [];
    http2.on('stream', (stream) => begun.push(stream));
    const uploads = new UploadGuard({
      ...{ room: roomsOf(mebibyte).uploads, clock: systemClock, idleMs: 1000, isFramed: () => true },
      isBatch: () => false,
    });
    const bounds = { connectionsMax: 1, connectionsPerAddressMax: 1, callsMax: 1 };
    const answers = { isUnary: () => false, unreadBytesMin: () => undefined, idleMs: 1000 };
    new SessionGuard({
      clock: systemClock,
      uploads,
      ...bounds,
      ...answers,
      shareOf: (connection: object) => connection,
      refusal: () => undefined,
      rejected: () => {},
    }).watch(http2 as Http2Server);
    const caller = {};
    const streams = Array.from({ length: 100 }, () => Object.assign(new EventEmitter(), { session: caller }));
    for (const stream of streams) http2.emit('stream', stream, { ':path': putPath });
    expect(begun.length).toBeLessThan(streams.length);
    // Thrown where nobody listens, as it would be for the whole process.
    for (const stream of streams) stream.emit('error', new Error('reset'));
  });
});
