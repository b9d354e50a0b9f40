import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Turns } from '../../src/http/turns.ts';

const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
/** Bytes that Node reads at once, so that all requests in them are parsed before anything can be done about it. */
const readBytesMax = 64 * 1024;

describe('the requests of a connection that wait for each other', () => {
  let server: Server;
  let client: Socket;
  let parsed: number;
  let begun: number;
  let next: () => void;

  /** The first request begins, and is not answered. */
  async function pipeline(turns: Turns, count: number): Promise<void> {
    server.on('request', ({ socket }) => {
      parsed++;
      const run = () => {
        begun++;
        next = () => turns.next(socket);
      };
      if (!turns.take(socket, run)) socket.destroy();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {});
    client.write(request.repeat(count));
    await expect.poll(() => parsed).toBeGreaterThan(0);
  }

  /** Whatever more the connection is read for would have come by then. */
  async function settled(): Promise<void> {
    for (let before = -1; before !== parsed; ) {
      before = parsed;
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  beforeEach(() => {
    server = createServer();
    [parsed, begun] = [0, 0];
  });

  afterEach(() => {
    client.destroy();
    server.close();
  });

  it('are not read on for while enough of them wait, and are once these are through', async () => {
    const count = 20_000;
    await pipeline(new Turns({ waitingPerConnectionMax: 4, waitingMax: count }), count);
    await settled();
    expect(begun).toBe(1);
    expect(parsed).toBeLessThanOrEqual(Math.ceil(readBytesMax / request.length) + 1);
    while (begun < count) {
      const before = begun;
      next();
      if (begun === before) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(parsed).toBe(count);
  });

  it('lose their connection where more wait than may in all', async () => {
    await pipeline(new Turns({ waitingPerConnectionMax: 4, waitingMax: 40 }), 1000);
    // It may be gone by now.
    if (!client.closed) await once(client, 'close');
    expect(begun).toBe(1);
  });
});
