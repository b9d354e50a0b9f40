import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HttpListener } from '../../src/http/http-listener.ts';
import { type NodeReport, NodeRoutes } from '../../src/http/node-routes.ts';
import { sendText } from '../../src/http/send.ts';
import type { HttpSurface } from '../../src/http/surface.ts';
import type { NodeStatus } from '../../src/model/cluster.ts';
import { openEntrance } from '../../src/model/entrance.ts';
import { MeridianError, toMeridianError } from '../../src/model/errors.ts';
import type { LogId } from '../../src/model/position.ts';
import type { Trace } from '../../src/model/trace.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { upstreamWith } from '../rpc/loopback.ts';

const log = '00000000000000aa' as LogId;

const readyStatus: NodeStatus = {
  node: { name: 'fra', role: 'edge', id: 'e1', region: 'eu' },
  clusterId: 'c1',
  version: '0.0.0',
  ready: true,
  notes: [],
  uptimeMs: 5,
  scopes: [
    {
      kind: 'cache',
      filter: ['*'],
      state: 'live',
      covered: new Map([[log, 7]]),
      floor: new Map(),
      stable: new Map(),
    },
  ],
  followers: [],
  readOnly: false,
};

let status: NodeStatus = readyStatus;
const report: NodeReport = {
  metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'meridian_reads_total 1\n' }),
  status: async () => status,
  entrance: openEntrance(upstreamWith({ status: async () => status })),
};

/** A surface of one header, as the Workers binding's: it holds its answer back until told. */
class HeldSurface implements HttpSurface {
  readonly entered = settleable<AbortSignal>();
  readonly release = settleable<void>();
  matches = (request: { headers: Record<string, unknown> }): boolean => 'meridian-namespace' in request.headers;
  handle: HttpSurface['handle'] = async (_request, response, call) => {
    this.entered.resolve(call.signal);
    await this.release.promise;
    sendText(response, 200, 'held');
  };
}

describe('the HTTP listener of a node', () => {
  let listener: HttpListener;
  let routes: NodeRoutes;
  let held: HeldSurface;
  let base: string;
  let answered: string[];

  beforeEach(async () => {
    status = readyStatus;
    answered = [];
    routes = new NodeRoutes(report, systemClock);
    held = new HeldSurface();
    const failing: HttpSurface = {
      matches: (request) => request.url === '/busy',
      handle: async () => {
        throw new MeridianError('RESOURCE_EXHAUSTED', 'too many loads', { reason: 'loads', retryAfterMs: 1500 });
      },
    };
    listener = new HttpListener({
      surfaces: [
        { name: 'binding', surface: held },
        { name: 'busy', surface: failing },
        { name: 'node', surface: routes },
      ],
      clock: systemClock,
      logger: silentLogger,
      observer: {
        answered: (surface, code) => void answered.push(`${surface} ${code}`),
        rejected: (r) => void answered.push(r),
      },
      exchangeMs: 5_000,
    });
    base = `http://${await listener.start('127.0.0.1', 0)}`;
  });

  afterEach(async () => {
    held.release.resolve();
    await listener.stop(100);
  });

  it('answers metrics with their content type', async () => {
    const response = await fetch(`${base}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4');
    expect(await response.text()).toBe('meridian_reads_total 1\n');
  });

  it('says ready, and not ready with the reasons', async () => {
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
    status = { ...readyStatus, ready: false, notes: ['never caught up', 'no upstream'] };
    const response = await fetch(`${base}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.text()).toBe('not ready: never caught up; no upstream\n');
  });

  it.each([
    ['http://fake-host/livez', 200],
    ['HTTP://fake-host:80/livez?x=1', 200],
    ['http://fake-host', 404],
    ['http://fake-host?x=1', 404],
    ['//livez', 404],
  ])('takes what follows the host of a request for %s, as clients of proxies write it', async (path, status) => {
    const { hostname: host, port } = new URL(base);
    const answer = new Promise<number | undefined>((resolve, reject) =>
      httpRequest({ host, port, path, agent: false }, (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end(),
    );
    expect(await answer).toBe(status);
  });

  it('asks for no Host, which workerd leaves out where its service is said to be a proxy', async () => {
    const { hostname, port } = new URL(base);
    const socket = connect(Number(port), hostname);
    socket.write('GET https://fake-host/livez HTTP/1.1\r\nConnection: close\r\n\r\n');
    let seen = '';
    for await (const chunk of socket) seen += chunk;
    expect(seen).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  it('lets go of a connection that sent no request and does not hang up', async () => {
    const { hostname, port } = new URL(base);
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    socket.on('error', () => {});
    const ends = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
    socket.write('no request\r\n\r\n');
    let seen = '';
    socket.on('data', (chunk) => {
      seen += chunk;
    });
    await once(socket, 'end');
    expect(seen).toMatch(/^HTTP\/1\.1 400 Bad Request/);
    // Of this process are both ends; this one stays.
    const before = ends();
    await expect.poll(ends, { timeout: 10_000 }).toBe(before - 1);
    expect(socket.destroyed).toBe(false);
    socket.destroy();
  });

  it('cuts an answer that is not taken once the time of its exchange is over', async () => {
    const large: HttpSurface = {
      matches: () => true,
      handle: async (_, response) => void response.end(Buffer.alloc(64 * 1024 * 1024)),
    };
    const [clock, statuses] = [systemClock, [] as number[]];
    const observer = { answered: (_: string, code: number) => void statuses.push(code), rejected: () => {} };
    const surfaces = [{ name: 'large', surface: large }];
    const strict = new HttpListener({ surfaces, clock, logger: silentLogger, observer, exchangeMs: 100 });
    const { hostname, port } = new URL(`http://${await strict.start('127.0.0.1', 0)}`);
    const socket = connect(Number(port), hostname, () => socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
    socket.on('error', () => {}).pause();
    await expect.poll(() => statuses, { timeout: 10_000 }).toEqual([0]);
    socket.destroy();
    await strict.stop(100);
  });

  it('is alive but not ready while it drains', async () => {
    routes.drain();
    expect((await fetch(`${base}/readyz`)).status).toBe(503);
    expect((await fetch(`${base}/livez`)).status).toBe(200);
  });

  it('tells its status by the names that its users know, vectors as objects, and leaves out what is unknown', async () => {
    const body = (await (await fetch(`${base}/status?x=1`)).json()) as { scopes: Array<Record<string, unknown>> };
    expect(body).toMatchObject({ name: 'fra', role: 'edge', cluster: 'c1', uptimeSeconds: 0.005 });
    expect(body.scopes[0]?.['covered']).toEqual({ [log]: 7 });
    expect(body.scopes[0]).not.toHaveProperty('boundMs');
  });

  it('refuses other methods than GET and HEAD', async () => {
    const response = await fetch(`${base}/status`, { method: 'POST', body: 'x' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD');
  });

  it('gives a request to the first surface that matches, whatever its path', async () => {
    held.release.resolve();
    const response = await fetch(`${base}/metrics`, { headers: { 'Meridian-Namespace': 'flags' } });
    expect(await response.text()).toBe('held');
  });

  it('answers an unknown path and a failed surface with a code, a message and a delay', async () => {
    const unknown = await fetch(`${base}/nothing`);
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ code: 'NOT_FOUND', reason: 'unknown-path' });
    const busy = await fetch(`${base}/busy`);
    expect(busy.status).toBe(429);
    expect(busy.headers.get('retry-after')).toBe('2');
  });

  it('aborts the call when its client goes away', async () => {
    const sent = httpRequest(`${base}/`, { headers: { 'Meridian-Namespace': 'a' } });
    sent.on('error', () => {});
    sent.end();
    const signal = await held.entered.promise;
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
    sent.destroy();
    await aborted;
    expect((signal.reason as MeridianError).code).toBe('CANCELLED');
  });

  it('ties no exchange to anything that outlives it', async () => {
    const any = vi.spyOn(AbortSignal, 'any');
    expect((await fetch(`${base}/status`)).status).toBe(200);
    expect(any).not.toHaveBeenCalled();
    any.mockRestore();
  });

  it('answers garbage with 400, an endless header with 431, and goes on', async () => {
    const garbage = await speak(base, 'garbage\r\n\r\n');
    expect(garbage).toContain('400 Bad Request');
    expect(JSON.parse(garbage.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      message: expect.stringMatching(/no request/),
    });
    const endless = await speak(base, `GET / HTTP/1.1\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`);
    expect(endless).toContain('431');
    expect(JSON.parse(endless.split('\r\n\r\n')[1] ?? '')).toMatchObject({ message: expect.stringMatching(/65536/) });
    expect((await fetch(`${base}/livez`)).status).toBe(200);
    expect(answered.filter((what) => what === 'malformed')).toHaveLength(2);
  });

  it('counts a connection that is reset before it says anything as nothing', async () => {
    const socket = connect(Number(new URL(base).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.resetAndDestroy();
    await once(socket, 'close');
    // Behind it, so that the reset was seen.
    expect((await fetch(`${base}/livez`)).status).toBe(200);
    expect(answered).not.toContain('malformed');
  });

  it('lets an exchange under way end when it stops, and takes no new one', async () => {
    const answer = fetch(`${base}/`, { headers: { 'Meridian-Namespace': 'a' } });
    await held.entered.promise;
    const stopped = listener.stop(5_000);
    await expect(fetch(`${base}/livez`)).rejects.toThrow();
    held.release.resolve();
    expect(await (await answer).text()).toBe('held');
    await stopped;
  });

  it('cuts an exchange that outlasts the drain', async () => {
    const answer = fetch(`${base}/`, { headers: { 'Meridian-Namespace': 'a' } });
    const signal = await held.entered.promise;
    const failed = expect(answer).rejects.toThrow();
    await listener.stop(1);
    await failed;
    expect(signal.aborted).toBe(true);
  });
});

function speak(base: string, text: string): Promise<string> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve) => {
    let heard = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.on('data', (bytes) => {
      heard += bytes.toString();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(heard));
  });
}

function settleable<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

it.each([
  [404, undefined],
  [500, 'INTERNAL'],
  [503, 'UNAVAILABLE'],
  [504, 'DEADLINE_EXCEEDED'],
  [507, 'INTERNAL'],
])('the step of a request that is answered with %i fails with %s', async (code, expected) => {
  const ended: unknown[] = [];
  const trace: Trace = {
    context: { traceparent: '' },
    step: () => trace,
    tell: () => {},
    end: (failure) => void ended.push(failure === undefined ? undefined : toMeridianError(failure).code),
  };
  // As the surfaces of Workers do, it answers a failure in words of its own.
  const surface: HttpSurface = {
    matches: () => true,
    handle: async (_, response) => sendText(response, code, 'words'),
  };
  const listener = new HttpListener({
    surfaces: [{ name: 'rest', surface }],
    clock: systemClock,
    logger: silentLogger,
    observer: { answered: () => {}, rejected: () => {} },
    exchangeMs: 5_000,
    tracer: { enter: () => trace, close: async () => {} },
  });
  const base = `http://${await listener.start('127.0.0.1', 0)}`;
  expect((await fetch(base)).status).toBe(code);
  await vi.waitFor(() => expect(ended).toEqual([expected]));
  await listener.stop(0);
});
