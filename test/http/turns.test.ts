import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoppedWithConnection } from '../../src/http/stopped-with-connection.ts';
import { plainRequestBytes, Turns } from '../../src/http/turns.ts';

const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
/** Bytes that Node reads at once, and parses before the connection can be paused. */
const readBytesMax = 64 * 1024;

/** Of the first line and the headers, beside what each takes. */
const waitingBytes = plainRequestBytes + '/Hostx'.length;

describe('the requests of a connection that wait for each other', () => {
  let server: Server;
  let client: Socket;
  let parsed: number;
  let begun: number;
  let next: () => void;

  /** The first request begins, and is not answered. */
  async function pipeline(turns: Turns, count: number, text = request): Promise<void> {
    server.on('request', (taken) => {
      parsed++;
      const run = () => {
        begun++;
        next = () => turns.next(taken.socket);
      };
      if (!turns.take(taken, run)) taken.socket.destroy();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {});
    client.write(text.repeat(count));
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
    server = createServer({ IncomingMessage: StoppedWithConnection });
    [parsed, begun] = [0, 0];
  });

  afterEach(() => {
    client.destroy();
    server.close();
  });

  it('are not read on for while enough of them wait, and are once these are through', async () => {
    const count = 20_000;
    const limits = { waitingBytesPerConnectionMax: 4 * waitingBytes, waitingBytesMax: count * waitingBytes };
    await pipeline(new Turns(limits), count);
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

  it('lose their connection where more wait than may in all, and no more of them are read', async () => {
    const limits = { waitingBytesPerConnectionMax: 4 * waitingBytes, waitingBytesMax: 40 * waitingBytes };
    await pipeline(new Turns(limits), 1000);
    // It may be gone by now.
    if (!client.closed) await once(client, 'close');
    expect(begun).toBe(1);
    // One is answered, forty wait, and one is too many.
    expect(parsed).toBe(42);
  });

  it('wait in smaller numbers the longer their headers are', async () => {
    const long = `GET / HTTP/1.1\r\nHost: x\r\nLong: ${'x'.repeat(3 * plainRequestBytes)}\r\n\r\n`;
    const limits = { waitingBytesPerConnectionMax: 16 * waitingBytes, waitingBytesMax: 1000 * waitingBytes };
    await pipeline(new Turns(limits), 1000, long);
    await settled();
    expect(parsed).toBeLessThanOrEqual(Math.ceil(readBytesMax / long.length));
  });
});
