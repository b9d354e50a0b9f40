import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { HttpListener } from '../../../src/http/http-listener.ts';
import type { HttpSurface } from '../../../src/http/surface.ts';
import { BindingSurface } from '../../../src/http/workers/binding-surface.ts';
import { RestSurface } from '../../../src/http/workers/rest-surface.ts';
import { openEntrance } from '../../../src/model/entrance.ts';
import type { GetAnswer, GetRequest } from '../../../src/model/key-value.ts';
import type { Clock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { systemClock } from '../../../src/runtime/system-clock.ts';
import { roomsOf, upstreamWith } from '../../rpc/loopback.ts';
import { promisesIn } from '../../support/promises-in.ts';

const id = '0123456789abcdef0123456789abcdef';
const value = Buffer.alloc(1024, 0x78);
/** More than a socket takes at once. */
const largest = Buffer.alloc(64 * 1024 - 1, 0x79);

const closing: Array<() => Promise<unknown> | undefined> = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A node that has everything in memory: `absent` is known not to be there. */
function peek({ key }: GetRequest): GetAnswer {
  const held = key === 'largest' ? largest : value;
  const record = key === 'absent' ? undefined : { kind: 'live', value: held, metadata: '{"a":1}', expiresAt: 2e9 };
  return { source: 'copy', past: false, record } as unknown as GetAnswer;
}

/** The two surfaces over that node, each with the promises that its answers took, and how often a timer was set. */
async function serve() {
  const seen = { promises: 0, handled: 0, timers: 0, answered: [] as string[], reads: 0 };
  const clock: Clock = {
    ...systemClock,
    timer: (delayMs, run) => {
      seen.timers++;
      return systemClock.timer(delayMs, run);
    },
  };
  const get = async (request: GetRequest) => {
    seen.reads++;
    return peek(request);
  };
  const entrance = openEntrance(upstreamWith({ peek, get }));
  const expiryClock = { nowMs: () => systemClock.wallMs() };
  const rooms = roomsOf(1024 * 1024);
  const counted = (surface: HttpSurface): HttpSurface => ({
    matches: (request) => surface.matches(request),
    handle: (request, response, call) => {
      let handling: Promise<void> | undefined;
      seen.promises += promisesIn(() => {
        handling = surface.handle(request, response, call);
      });
      seen.handled++;
      return handling;
    },
  });
  const listener = new HttpListener({
    surfaces: [
      { name: 'binding', surface: counted(new BindingSurface(entrance, clock, rooms, expiryClock)) },
      { name: 'rest', surface: counted(new RestSurface(entrance, clock, rooms, expiryClock)) },
    ],
    clock,
    logger: silentLogger,
    observer: { answered: (...[name, code]) => void seen.answered.push(`${name} ${code}`), rejected: () => {} },
    exchangeMs: 20_000,
  });
  const address = await listener.start('127.0.0.1', 0);
  closing.push(() => listener.stop(0));
  const socket = connect(Number(address.split(':')[1]), '127.0.0.1');
  socket.on('error', () => {});
  closing.push(async () => void socket.destroy());
  await once(socket, 'connect');
  return { seen, socket, listener };
}

const binding = (key: string) => `GET /${key}?urlencoded=true HTTP/1.1\r\nHost: x\r\nMeridian-Namespace: flags\r\n\r\n`;
const rest = (key: string) => {
  return `GET /client/v4/accounts/a/storage/kv/namespaces/${id}/values/${key} HTTP/1.1\r\nHost: x\r\n\r\n`;
};

/** Asks, and resolves with what comes once it holds so many of the bytes. */
async function answerTo(socket: Socket, request: string, until: (seen: string) => boolean): Promise<string> {
  let seen = '';
  const done = new Promise<void>((resolve) => {
    const take = (chunk: Buffer) => {
      seen += chunk.toString('latin1');
      if (!until(seen)) return;
      socket.off('data', take);
      resolve();
    };
    socket.on('data', take);
  });
  socket.write(request);
  await done;
  return seen;
}

/** Waits until a count above 0 has not changed for many turns. */
async function standsStill(count: () => number): Promise<void> {
  for (let [last, still] = [0, 0]; still < 50; ) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    still = count() === last && last > 0 ? still + 1 : 0;
    last = count();
  }
}

const whole = (body: string | Buffer) => (seen: string) => seen.endsWith(body.toString());

describe.each([
  ['the binding', 'binding', binding],
  ['the REST API', 'rest', rest],
] as const)('a hit over %s', (_, name, get) => {
  it('takes no promise and no timer, and is counted', async () => {
    const { seen, socket } = await serve();
    for (let n = 0; n < 100; n++) {
      const answer = await answerTo(socket, get('beta%20one'), whole(value));
      expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
      expect(answer.toLowerCase()).toContain('content-length: 1024\r\n');
    }
    expect(seen).toMatchObject({ promises: 0, timers: 0, handled: 100, reads: 0 });
    expect(seen.answered).toEqual(Array.from({ length: 100 }, () => `${name} 200`));
  });

  it('answers an absent key at once too', async () => {
    const { seen, socket } = await serve();
    const answer = await answerTo(socket, get('absent'), (all) => /\r\n\r\n./s.test(all));
    expect(answer).toMatch(/^HTTP\/1.1 404 /);
    expect(seen).toMatchObject({ promises: 0, timers: 0, reads: 0, answered: [`${name} 404`] });
  });

  it('waits, in the order of a pipeline, for a client that reads nothing, and cuts him at the end', async () => {
    const { seen, socket, listener } = await serve();
    socket.pause();
    const count = 400;
    socket.write(get('largest').repeat(count));
    await standsStill(() => seen.handled);
    // What the system takes is out; the next one stands, under a timer, and none is begun behind it.
    expect(seen.handled).toBeLessThan(count);
    expect(seen.answered.length).toBe(seen.handled - 1);
    await listener.stop(0);
    await expect.poll(() => seen.answered.at(-1)).toBe(`${name} 0`);
  });

  it('answers a pipeline whole and in order where it is read', async () => {
    const { seen, socket } = await serve();
    const keys = Array.from({ length: 60 }, (_, n) => (n % 3 === 2 ? 'largest' : 'beta'));
    const requests = keys.map(get).join('');
    const bytes = keys.reduce((sum, key) => sum + (key === 'largest' ? largest : value).byteLength, 0);
    const answers = await answerTo(socket, requests, (all) => all.replaceAll(/[^xy]/g, '').length >= bytes);
    const sizes = [...answers.matchAll(/content-length: (\d+)/gi)].map(([, size]) => Number(size));
    expect(sizes).toEqual(keys.map((key) => (key === 'largest' ? largest : value).byteLength));
    await expect.poll(() => seen.answered.length).toBe(keys.length);
  });
});
