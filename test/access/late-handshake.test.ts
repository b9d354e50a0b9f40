import { once } from 'node:events';
import { connect as connectInTheClear } from 'node:net';
import { connect } from 'node:tls';
import { expect, it } from 'vitest';
import { HttpListener } from '../../src/http/http-listener.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { TestAuthority } from '../cli/ca/test-authority.ts';
import { serveResp } from '../resp/served.ts';
import { upstreamWith } from '../rpc/loopback.ts';

const { cert, key } = new TestAuthority().issue('node');
const tls = { current: { cert, key }, onRenewed: () => {} };

interface Listening {
  readonly port: number;
  stop(drainMs: number): Promise<void>;
}

async function redis(): Promise<Listening> {
  const { port, listener } = await serveResp(upstreamWith({}), { tls });
  return { port, stop: (drainMs) => listener.stop(drainMs) };
}

async function http(): Promise<Listening> {
  const observer = { answered: () => {}, rejected: () => {} };
  const timing = { clock: systemClock, logger: silentLogger, exchangeMs: 10_000 };
  const listener = new HttpListener({ ...timing, tls, observer, surfaces: [] });
  const address = await listener.start('127.0.0.1', 0);
  return { port: Number(address.split(':')[1]), stop: (drainMs) => listener.stop(drainMs) };
}

it.each([
  ['Redis', redis],
  ['HTTP', http],
])('a listener for %s stops though a handshake ends after its time to drain', async (_name, listen) => {
  const { port, stop } = await listen();
  const socket = connectInTheClear(port, '127.0.0.1');
  await once(socket, 'connect');
  // The listener must have taken it in before it closes.
  await new Promise((resolve) => setTimeout(resolve, 50));
  let isStopped = false;
  const stopped = stop(20).then(() => {
    isStopped = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  const late = connect({ socket, rejectUnauthorized: false });
  late.on('error', () => {});
  await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, 2000))]);
  expect(isStopped).toBe(true);
  late.destroy();
  socket.destroy();
});
