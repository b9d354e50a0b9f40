import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { httpTarget } from '../../../src/cli/bench/http-target.ts';
import type { LoadTarget } from '../../../src/cli/bench/load-target.ts';
import { respTarget } from '../../../src/cli/bench/resp-target.ts';

const namespaceId = 'ab'.repeat(16);
const closing: Array<() => void> = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

function closed<T extends LoadTarget>(target: T): T {
  closing.push(() => target.close());
  return target;
}

describe('load over HTTP', () => {
  async function target(answer: (request: IncomingMessage) => number, timeoutMs = 5000) {
    const asked: string[] = [];
    const server = createHttpServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
      response.statusCode = answer(request);
      if (response.statusCode !== 100) request.resume().on('end', () => response.end('x'));
    });
    const port = await portOf(server);
    closing.push(() => server.closeAllConnections());
    const place = { host: '127.0.0.1', port, namespaceId, token: 'secret', connections: 2, timeoutMs };
    return { asked, target: closed(httpTarget(place)) };
  }

  test('asks the REST API for values, with the token', async () => {
    const { asked, target: http } = await target(() => 200);
    await http.get('a/b');
    await http.put('k', new Uint8Array(3));
    const values = `/client/v4/accounts/bench/storage/kv/namespaces/${namespaceId}/values`;
    expect(asked).toEqual([`GET ${values}/a%2Fb Bearer secret`, `PUT ${values}/k Bearer secret`]);
  });

  test.each([
    [404, 'NOT_FOUND'],
    [401, 'UNAUTHENTICATED'],
    [429, 'RESOURCE_EXHAUSTED'],
    [500, 'INTERNAL'],
  ])('counts a status %i as %s', async (status, code) => {
    const { target: http } = await target(() => status);
    await expect(http.get('k')).rejects.toMatchObject({ code });
  });

  test('gives up a call that is not answered', async () => {
    const { target: http } = await target(() => 100, 50);
    await expect(http.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE', message: /no answer within 50 ms/ });
  });
});

describe('load over the Redis protocol', () => {
  async function target(reply: string, token?: string) {
    const asked: string[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        asked.push(bytes.toString().replaceAll('\r\n', ' ').trim());
        socket.write(asked.at(-1)?.includes('AUTH') ? '+OK\r\n' : reply);
      });
    });
    const address = `127.0.0.1:${await portOf(server)}`;
    const signal = new AbortController().signal;
    return { asked, target: closed(respTarget({ address, namespace: 'my ns', token, timeoutMs: 5000, signal })) };
  }

  test('names the namespace by the user, and keeps its connections', async () => {
    const { asked, target: resp } = await target('$1\r\nv\r\n', 'secret');
    await resp.get('k');
    await resp.get('k');
    expect(asked).toEqual(['*3 $4 AUTH $5 my ns $6 secret', '*2 $3 GET $1 k', '*2 $3 GET $1 k']);
  });

  test('takes calls at once on connections of their own', async () => {
    const { asked, target: resp } = await target('+OK\r\n');
    await Promise.all([resp.put('a', Buffer.from('1')), resp.put('b', Buffer.from('2'))]);
    expect(asked.filter((line) => line.includes('AUTH'))).toEqual(Array(2).fill('*3 $4 AUTH $5 my ns $4 none'));
  });

  test.each([
    ['-ERR no\r\n', 'INTERNAL'],
    ['$-1\r\n', 'NOT_FOUND'],
  ])('counts %j as %s', async (reply, code) => {
    const { target: resp } = await target(reply);
    await expect(resp.get('k')).rejects.toMatchObject({ code });
  });
});
