import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import type { GetAnswer, GetRequest } from '../../src/model/key-value.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import type { Origin } from '../../src/origin/origin.ts';
import type { RespListenerOptions } from '../../src/resp/resp-listener.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { instead } from '../http/workers/served-origin.ts';
import { aCall, openOrigin, roomsOf } from '../rpc/loopback.ts';
import { encodeCommand, type ServedResp, serveResp } from './served.ts';

let origin: Origin;
/** Also on a machine that does much else. */
const eventually = <T>(look: () => T, interval = 5) => expect.poll(look, { interval, timeout: 20_000 });
const closing: Array<() => Promise<unknown>> = [];

beforeEach(async () => {
  const opened = await openOrigin();
  closing.push(() => opened.close());
  origin = opened.origin;
  await origin.create('config', aCall());
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** An origin that has nothing in memory, and reads so. */
function insteadOfGet(get: Upstream['get']): Upstream {
  return instead(
    instead(origin, 'peek', () => undefined),
    'get',
    get,
  );
}

async function serve(upstream: Upstream = origin, options: Partial<RespListenerOptions> = {}): Promise<ServedResp> {
  const served = await serveResp(upstream, options);
  closing.push(() => served.close());
  return served;
}

function put(key: string, value: Uint8Array | string): Promise<unknown> {
  const mutations = [{ kind: 'put', key, value: Buffer.from(value) } as const];
  return origin.write({ namespace: 'config', session: emptySession, mutations }, aCall());
}

/** An origin whose gets wait until they are told, and how many do. */
function waiting(): { readonly upstream: Upstream; readonly finish: Array<() => void>; asked: number } {
  const finish: Array<() => void> = [];
  const state = { finish, asked: 0, upstream: origin as Upstream };
  state.upstream = insteadOfGet(async (request, call) => {
    state.asked++;
    await new Promise<void>((resolve) => finish.push(resolve));
    return origin.get(request, call);
  });
  return state;
}

describe('what a read may not say', () => {
  const answering = (answer: Partial<GetAnswer>) =>
    insteadOfGet(async (request, call) => ({ ...(await origin.get(request, call)), ...answer }));

  it('is an answer past what is accepted: it is STALE, and never nil', async () => {
    const root = 'a'.repeat(16) as never;
    const client = await (await serve(answering({ past: true, bound: { boundMs: 1234.5, root } }))).connect();
    const stale = 'Error: STALE what this node holds is past what is accepted: it may be 1235 ms old';
    expect(await client.ask('GET', 'absent')).toBe(stale);
    expect(await client.ask('EXISTS', 'absent')).toBe(stale);
    expect(await client.ask('MGET', 'absent', 'b')).toBe(stale);
    expect(await client.ask('MERIDIAN.GET', 'absent', 'MAXAGE', 10)).toBe(stale);
  });

  it('is asked for again at an origin, where the node serves what it refreshes', async () => {
    const asked: boolean[] = [];
    const upstream = insteadOfGet(async (request, call) => {
      asked.push(request.atOrigin === true);
      return { ...(await origin.get(request, call)), past: request.atOrigin !== true };
    });
    const client = await (await serve(upstream, { staleWhileRevalidateMs: 1000 })).connect();
    await put('k', 'v');
    expect(await client.ask('GET', 'k')).toBe('v');
    expect(asked).toEqual([false, true]);
  });

  it('is what nobody knows: it is UNAVAILABLE, also where time ran out', async () => {
    for (const code of ['UNAVAILABLE', 'DEADLINE_EXCEEDED'] as const) {
      const upstream = insteadOfGet(async () => {
        throw new MeridianError(code, 'no upstream is reached', { reason: 'not-connected' });
      });
      const served = await serve(upstream);
      const client = await served.connect();
      expect(await client.ask('GET', 'k')).toBe('Error: UNAVAILABLE no upstream is reached');
      expect(await client.ask('MGET', 'k')).toBe('Error: UNAVAILABLE no upstream is reached');
      expect(served.rejected).toEqual(['not-connected', 'not-connected']);
    }
  });

  it('takes what is accepted from the connection, or from the command', async () => {
    const seen: Array<number | undefined> = [];
    const upstream = insteadOfGet((request, call) => {
      seen.push(request.atOrigin === true ? -1 : request.maxStalenessMs);
      return origin.get(request, call);
    });
    const client = await (await serve(upstream)).connect();
    await put('k', 'v');
    await client.ask('GET', 'k');
    expect(await client.ask('MERIDIAN.MAXAGE', 250)).toBe('+OK');
    await client.ask('GET', 'k');
    await client.ask('TTL', 'k');
    const [value, version, source, bound] = (await client.ask('MERIDIAN.GET', 'k', 'MAXAGE', 5)) as string[];
    expect([value, source, bound]).toEqual(['v', 'origin', 0]);
    expect(version).toMatch(/^[0-9a-f]{32}$/);
    expect(await client.ask('MERIDIAN.GET', 'none', 'ORIGIN')).toEqual([null, null, 'origin', 0]);
    await client.ask('MERIDIAN.MAXAGE', 'DEFAULT');
    await client.ask('GET', 'k');
    expect(seen).toEqual([undefined, 250, 250, 5, -1, undefined]);
    expect(await client.ask('MERIDIAN.MAXAGE', -1)).toMatch(/^Error: ERR a MAXAGE is 0 or more/);
    expect(await client.ask('MERIDIAN.GET', 'k', 'MAXAGE')).toBe('Error: ERR syntax error');
  });
});

describe('a pipeline', () => {
  it('loads beside each other, in the order of its commands, up to a bound', async () => {
    const state = waiting();
    const client = await (await serve(state.upstream)).connect();
    await put('k', 'v');
    // What may be large is read one at a time, until the namespace has shown that its values are small.
    for (let n = 0; n < 60; n++) {
      client.socket.write(encodeCommand(['GET', 'k']));
      await eventually(() => state.finish.length).toBe(1);
      state.finish.shift()?.();
      expect(await client.reply()).toBe('v');
    }
    state.asked = 0;
    client.socket.write(Buffer.concat(Array.from({ length: 100 }, () => encodeCommand(['GET', 'k']))));
    client.socket.write(encodeCommand(['PING']));
    await eventually(() => state.asked).toBe(64);
    state.finish[63]?.();
    for (const finish of state.finish.slice(0, 63)) finish();
    await eventually(() => state.asked).toBe(100);
    for (const finish of state.finish.slice(64)) finish();
    const replies = [];
    for (let n = 0; n < 101; n++) replies.push(await client.reply());
    expect(replies).toEqual([...Array(100).fill('v'), '+PONG']);
  });

  it('holds a write back until the reads before it are answered, and reads until it is done', async () => {
    const state = waiting();
    const client = await (await serve(state.upstream)).connect();
    await put('k', 'old');
    client.socket.write(
      Buffer.concat(
        [
          ['GET', 'k'],
          ['SET', 'k', 'new'],
          ['GET', 'k'],
        ].map(encodeCommand),
      ),
    );
    await eventually(() => state.finish.length).toBe(1);
    state.finish[0]?.();
    expect(await client.reply()).toBe('old');
    expect(await client.reply()).toBe('+OK');
    await eventually(() => state.finish.length).toBe(2);
    state.finish[1]?.();
    expect(await client.reply()).toBe('new');
  });

  it('is answered at once where what is asked for is there, behind what must be loaded', async () => {
    const state = waiting();
    const record = { kind: 'live', key: 'here', value: Buffer.from('now') } as never;
    const held = await origin.get({ namespace: 'config', key: 'here', session: emptySession }, aCall());
    const peek = ({ key }: GetRequest) => (key === 'here' ? { ...held, record } : undefined);
    const client = await (await serve(instead(state.upstream, 'peek', peek))).connect();
    expect(await client.pipeline(['GET', 'here'], ['STRLEN', 'here'], ['MGET', 'here', 'here'])).toEqual([
      'now',
      3,
      ['now', 'now'],
    ]);
    expect(state.asked).toBe(0);
    client.socket.write(
      Buffer.concat(
        [
          ['GET', 'here'],
          ['GET', 'there'],
          ['GET', 'here'],
        ].map(encodeCommand),
      ),
    );
    expect(await client.reply()).toBe('now');
    await eventually(() => state.asked).toBe(1);
    expect(client.unread).toBe(0);
    state.finish[0]?.();
    expect([await client.reply(), await client.reply()]).toEqual([null, 'now']);
  });

  it('of plain writes is one write', async () => {
    const sizes: number[] = [];
    const upstream = instead(origin, 'write', (request, call) => {
      sizes.push(request.mutations.length);
      return origin.write(request, call);
    });
    const client = await (await serve(upstream)).connect();
    const replies = await client.pipeline(...Array.from({ length: 50 }, (_, n) => ['SET', `k${n}`, n]));
    expect(replies).toEqual(Array(50).fill('+OK'));
    expect(sizes).toEqual([50]);
    let writes = 0;
    const failing = instead(origin, 'write', async () => {
      writes++;
      throw new MeridianError('UNAVAILABLE', 'away', { reason: 'away' });
    });
    const other = await (await serve(failing)).connect();
    expect(await other.pipeline(['SET', 'a', '1'], ['SET', 'b', '1'])).toEqual(
      Array(2).fill('Error: UNAVAILABLE away'),
    );
    expect(writes, 'nobody knows what became of it: nothing of it is written once more').toBe(1);
  });

  it('leaves others their turns while long keys are compared with a long pattern', async () => {
    const keys = Array.from({ length: 400 }, (_, n) => String(n).padStart(3, '0') + 'k'.repeat(509));
    const mutations = keys.map((key) => ({ kind: 'put', key, value: Buffer.alloc(0) }) as const);
    await origin.write({ namespace: 'config', session: emptySession, mutations }, aCall());
    const client = await (await serve()).connect();
    const pattern = `*${'?'.repeat(250)}!`;
    for (const words of [
      ['SCAN', '0', 'COUNT', 1000, 'MATCH', pattern],
      ['KEYS', pattern],
    ]) {
      let isOver = false;
      const beganMs = performance.now();
      const reply = client.ask(...words).finally(() => {
        isOver = true;
      });
      let longestMs = 0;
      for (let lastMs = performance.now(); !isOver; lastMs = performance.now()) {
        await new Promise((resolve) => setImmediate(resolve));
        longestMs = Math.max(longestMs, performance.now() - lastMs);
      }
      expect(JSON.stringify(await reply)).toMatch(/^(\["0",\[\]\]|\[\])$/);
      expect(longestMs / (performance.now() - beganMs)).toBeLessThan(0.5);
    }
  });

  it('is not read on while its replies are not taken', async () => {
    await put('k', Buffer.alloc(50_000));
    let asked = 0;
    const upstream = insteadOfGet((request, call) => {
      asked++;
      return origin.get(request, call);
    });
    const client = await (await serve(upstream)).connect();
    client.socket.pause();
    const count = 600;
    client.socket.write(Buffer.concat(Array.from({ length: count }, () => encodeCommand(['GET', 'k']))));
    let before = -1;
    const standsStill = () => {
      const isStill = asked > 0 && asked === before;
      before = asked;
      return isStill;
    };
    await eventually(standsStill, 300).toBe(true);
    expect(asked).toBeLessThan(count / 2);
    client.socket.resume();
    for (let n = 0; n < count; n++) expect(await client.reply()).toHaveLength(50_000);
  });
});

describe('replies', () => {
  it('are each client’s own and whole, however slowly one takes them', async () => {
    const served = await serve();
    const [slow, quick] = [await served.connect(), await served.connect()];
    const names = Array.from({ length: 400 }, (_, n) => `key ${n} `);
    await quick.pipeline(...names.map((name) => ['SET', name, name.repeat(1000)]));
    slow.socket.pause();
    slow.socket.write(Buffer.concat(names.map((name) => encodeCommand(['GET', name]))));
    for (let round = 0; round < 200; round++) {
      expect(await quick.ask('ECHO', `round ${round} `.repeat(500))).toBe(`round ${round} `.repeat(500));
    }
    slow.socket.resume();
    for (const name of names) {
      expect(await slow.reply()).toBe(name.repeat(1000));
      expect(await quick.ask('ECHO', 'x'.repeat(3000))).toHaveLength(3000);
    }
  });
});

describe('connections', () => {
  it('are bounded: an idle one makes room, and beyond that a client is told', async () => {
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs };
    let aheadMs = 0;
    const state = waiting();
    const served = await serve(state.upstream, { connectionsMax: 2, clock });
    const [first, second] = [await served.connect(), await served.connect()];
    expect(await first.ask('PING')).toBe('+PONG');
    expect(await second.ask('PING')).toBe('+PONG');
    const third = await served.connect();
    expect(await third.reply()).toBe('Error: ERR max number of clients reached');
    expect(served.rejected).toEqual(['too-many-connections']);
    second.socket.write(encodeCommand(['GET', 'k']));
    await eventually(() => state.asked).toBe(1);
    aheadMs = 5000;
    const fourth = await served.connect();
    expect(await fourth.ask('PING')).toBe('+PONG');
    await first.closed();
    state.finish[0]?.();
    expect(await second.reply()).toBeNull();
  });

  it('of one address are bounded too', async () => {
    const served = await serve(origin, { connectionsPerAddressMax: 1 });
    const first = await served.connect();
    expect(await first.ask('PING')).toBe('+PONG');
    expect(await (await served.connect()).reply()).toBe('Error: ERR max number of clients reached');
  });

  it('are drained at a stop: what is under way is answered, what is idle ends', async () => {
    const state = waiting();
    const served = await serve(state.upstream);
    const [busy, idle] = [await served.connect(), await served.connect()];
    expect(await idle.ask('PING')).toBe('+PONG');
    await put('k', 'v');
    busy.socket.write(encodeCommand(['GET', 'k']));
    await eventually(() => state.asked).toBe(1);
    const stopped = served.listener.stop(20_000);
    await idle.closed();
    state.finish[0]?.();
    expect(await busy.reply()).toBe('v');
    await busy.closed();
    await stopped;
  });

  it('are cut at a stop where they take too long', async () => {
    const state = waiting();
    const served = await serve(state.upstream);
    const busy = await served.connect();
    busy.socket.write(encodeCommand(['GET', 'k']));
    await eventually(() => state.asked).toBe(1);
    await served.listener.stop(50);
    await busy.closed();
  });
});

describe('memory', () => {
  it('for large commands is shared: one waits until another is done', async () => {
    const finish: Array<() => void> = [];
    const upstream = instead(origin, 'write', async (request, call) => {
      await new Promise<void>((resolve) => finish.push(resolve));
      return origin.write(request, call);
    });
    const rooms = roomsOf(8 * 1024 * 1024);
    const served = await serve(upstream, { rooms });
    const value = Buffer.alloc(3 * 1024 * 1024);
    const clients = await Promise.all([served.connect(), served.connect(), served.connect()]);
    for (const { socket } of clients) socket.write(encodeCommand(['SET', 'k', value]));
    await eventually(() => finish.length).toBe(2);
    expect(rooms.uploads.values.bytesInUse).toBeGreaterThan(2 * value.length);
    for (const done of finish.splice(0)) done();
    await eventually(() => finish.length).toBe(1);
    finish[0]?.();
    expect(await Promise.all(clients.map((client) => client.reply()))).toEqual(['+OK', '+OK', '+OK']);
    expect(rooms.uploads.values.bytesInUse).toBe(0);
  });

  it('of a command that stands still, or whose client went, is free again', async () => {
    const rooms = roomsOf(8 * 1024 * 1024);
    const served = await serve(origin, { rooms, requestTimeoutMs: 200 });
    const [stalled, gone] = [await served.connect(), await served.connect()];
    for (const { socket } of [stalled, gone]) socket.write('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\nabc');
    await eventually(() => rooms.uploads.values.bytesInUse).toBeGreaterThan(2_000_000);
    gone.socket.destroy();
    await stalled.closed();
    await eventually(() => rooms.uploads.values.bytesInUse).toBe(0);
    expect(served.rejected).toContain('stalled');
  });

  it('for large answers is free once they are sent, or the client is gone', async () => {
    const rooms = roomsOf(32 * 1024 * 1024);
    const served = await serve(origin, { rooms });
    await put('k', Buffer.alloc(8 * 1024 * 1024));
    const [taking, gone] = [await served.connect(), await served.connect()];
    expect(await taking.ask('GET', 'k')).toHaveLength(8 * 1024 * 1024);
    await eventually(() => rooms.answers.bytesLeaving).toBe(0);
    gone.socket.pause();
    gone.socket.write(encodeCommand(['GET', 'k']));
    await eventually(() => rooms.answers.bytesLeaving).toBeGreaterThan(0);
    gone.socket.destroy();
    await eventually(() => rooms.answers.bytesLeaving).toBe(0);
  });

  it('for keys is held until they are sent, and by one command of a connection at a time', async () => {
    const rooms = roomsOf(128 * 1024 * 1024);
    // A page of as many and as long keys as there can be is half a megabyte: of KEYS ten, which a socket does not hold.
    const listed = Array.from({ length: 1000 }, (_, n) => {
      return { key: `${n}${'k'.repeat(508)}`, stamp: '0'.repeat(32) as never, valueBytes: 0 };
    });
    let [pages, atOnce, atOnceMost] = [0, 0, 0];
    const upstream = instead(origin, 'list', async (request, call) => {
      atOnceMost = Math.max(atOnceMost, ++atOnce);
      const { cursor: _, ...first } = request;
      const answer = await origin.list(first, call);
      atOnce--;
      return ++pages % 10 === 0 ? { ...answer, keys: listed } : { ...answer, keys: listed, cursor: 'more' };
    });
    const served = await serve(upstream, { rooms });
    const [taking, gone] = [await served.connect(), await served.connect()];
    const replies = await taking.pipeline(['KEYS', '*'], ['KEYS', '*k'], ['SCAN', '0', 'COUNT', 1000]);
    expect(replies.map((reply) => Array.isArray(reply) && reply.length)).toEqual([10_000, 10_000, 2]);
    expect(atOnceMost).toBe(1);
    await eventually(() => rooms.answers.bytesLeaving).toBe(0);
    gone.socket.pause();
    for (let n = 0; n < 20; n++) gone.socket.write(encodeCommand(['KEYS', '*']));
    await eventually(() => rooms.answers.bytesLeaving).toBeGreaterThanOrEqual(5_120_000);
    gone.socket.destroy();
    await eventually(() => rooms.answers.bytesLeaving).toBe(0);
  });

  it('for a large command is held until a reply that repeats it is sent', async () => {
    const rooms = roomsOf(64 * 1024 * 1024);
    const served = await serve(origin, { rooms });
    const large = Buffer.alloc(12 * 1024 * 1024, 'e');
    const [taking, gone] = [await served.connect(), await served.connect()];
    gone.socket.pause();
    gone.socket.write(encodeCommand(['ECHO', large]));
    await eventually(() => gone.socket.writableLength).toBe(0);
    await eventually(() => rooms.uploads.values.bytesInUse).toBeGreaterThanOrEqual(large.length);
    gone.socket.destroy();
    await eventually(() => rooms.uploads.values.bytesInUse).toBe(0);
    expect(await taking.ask('ECHO', large)).toHaveLength(large.length);
    await eventually(() => rooms.uploads.values.bytesInUse).toBe(0);
  });

  it('is given back by a client that takes nothing of its replies', async () => {
    const rooms = roomsOf(16 * 1024 * 1024);
    const served = await serve(origin, { rooms, requestTimeoutMs: 300 });
    await put('k', Buffer.alloc(6 * 1024 * 1024));
    const client = await served.connect();
    client.socket.pause();
    client.socket.write(encodeCommand(['GET', 'k']));
    await eventually(() => served.rejected).toContain('untaken-replies');
    await eventually(() => rooms.answers.bytesLeaving).toBe(0);
  });
});
