import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { HttpListener, type HttpListenerOptions } from '../../src/http/http-listener.ts';
import { NodeRoutes } from '../../src/http/node-routes.ts';
import { sendText } from '../../src/http/send.ts';
import type { HttpSurface } from '../../src/http/surface.ts';
import { openEntrance } from '../../src/model/entrance.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { upstreamWith } from '../rpc/loopback.ts';

const closing: Array<() => Promise<void> | void> = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** `/work` ends when it is told to; `/metrics` says how often it was made. */
async function serve(options: Partial<HttpListenerOptions> = {}) {
  const node = { scrapes: 0, atOnce: 0, mostAtOnce: 0, finish: [] as Array<() => void>, rejected: [] as string[] };
  const work: HttpSurface = {
    matches: ({ url }) => url === '/work',
    handle: async (_, response) => {
      await new Promise<void>((resolve) => node.finish.push(resolve));
      sendText(response, 200, 'done\n');
    },
  };
  const metrics = async () => {
    node.mostAtOnce = Math.max(node.mostAtOnce, ++node.atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    node.atOnce--;
    return { contentType: 'text/plain', text: `${++node.scrapes}\n` };
  };
  const status = () => Promise.reject(new Error('not part of this test'));
  const entrance = openEntrance(upstreamWith({ status }));
  const listener = new HttpListener({
    surfaces: [
      { name: 'work', surface: work },
      { name: 'node', surface: new NodeRoutes({ metrics, status, entrance }, systemClock), always: true },
    ],
    clock: systemClock,
    logger: silentLogger,
    observer: { answered: () => {}, rejected: (reason) => void node.rejected.push(reason) },
    exchangeMs: 20_000,
    ...options,
  });
  const address = await listener.start('127.0.0.1', 0);
  closing.push(() => listener.stop(100));
  return { ...new URL(`http://${address}`), base: `http://${address}`, port: Number(address.split(':')[1]), node };
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  closing.push(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

function get(base: string, path: string, agent: Agent): Promise<{ readonly status: number; readonly retry: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${base}${path}`, { agent }, (response) => {
      const { statusCode: status = 0, headers } = response.resume();
      response.on('end', () => resolve({ status, retry: headers['retry-after'] ?? '' }));
    });
    sent.on('error', reject).end();
  });
}

describe('the HTTP listener under load', () => {
  it('answers a pipeline in its order, one scrape at a time, and others in between', async () => {
    const { base, port, node } = await serve();
    const socket = await open(port);
    const count = 500;
    let [seen, between] = ['', 0];
    socket.on('data', (chunk) => {
      seen += chunk;
    });
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(count));
    await expect.poll(() => node.scrapes).toBeGreaterThan(0);
    expect((await fetch(`${base}/livez`)).status).toBe(200);
    between = node.scrapes;
    await expect.poll(() => seen.match(/\r\n\r\n\d+\n/g)?.length, { timeout: 20_000 }).toBe(count);
    const told = [...seen.matchAll(/\r\n\r\n(\d+)\n/g)].map(([, text]) => Number(text));
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(between).toBeLessThan(count);
    expect(node.mostAtOnce).toBe(1);
  });

  it('begins a request of a pipeline when the one before it is answered', async () => {
    const { port, node } = await serve();
    const socket = await open(port);
    socket.write('GET /work HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3));
    await expect.poll(() => node.finish.length).toBe(1);
    const other = await open(port);
    other.write('GET /work HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(() => node.finish.length).toBe(2);
    node.finish[0]?.();
    await expect.poll(() => node.finish.length).toBe(3);
  });

  it('shares a scrape among all who ask before it is made', async () => {
    const { base, node } = await serve();
    const agent = new Agent({ keepAlive: true });
    closing.push(() => agent.destroy());
    const answers = await Promise.all(Array.from({ length: 50 }, () => get(base, '/metrics', agent)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(node.scrapes).toBeLessThan(50);
  });

  it('loses none of 1,500 requests that come on connections of their own', async () => {
    const { base, node } = await serve();
    const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
    closing.push(() => agent.destroy());
    const asked = Array.from({ length: 1500 }, () => get(base, '/work', agent));
    await expect.poll(() => node.finish.length, { timeout: 20_000 }).toBe(1500);
    for (const path of ['/livez', '/metrics']) expect((await get(base, path, new Agent())).status).toBe(200);
    for (const finish of node.finish) finish();
    const answers = await Promise.all(asked);
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(node.rejected).toEqual([]);
  });

  it('answers health and metrics while as many connections as it serves are idle', async () => {
    const { base, port } = await serve({ connectionsMax: 1024 });
    await Promise.all(Array.from({ length: 1024 }, () => open(port)));
    const agent = new Agent();
    for (const path of ['/livez', '/metrics']) expect((await get(base, path, agent)).status).toBe(200);
  });

  it('answers health and metrics while all connections are busy, and tells others to come again', async () => {
    const { base, node } = await serve({ connectionsMax: 5 });
    const busy = new Agent({ keepAlive: true, maxSockets: 5 });
    const agent = new Agent();
    closing.push(() => busy.destroy());
    const asked = Array.from({ length: 5 }, () => get(base, '/work', busy));
    await expect.poll(() => node.finish.length).toBe(5);
    expect((await get(base, '/livez', agent)).status).toBe(200);
    expect((await get(base, '/metrics', agent)).status).toBe(200);
    expect(await get(base, '/work', agent)).toEqual({ status: 429, retry: '1' });
    for (const finish of node.finish) finish();
    for (const { status } of await Promise.all(asked)) expect(status).toBe(200);
  });
});
