import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendValue } from '../../../src/http/workers/send-value.ts';
import { MeridianError } from '../../../src/model/errors.ts';
import { emptySession } from '../../../src/model/session.ts';
import { aCall } from '../../rpc/loopback.ts';
import { type Answer, type Asked, ask, instead, type ServedOrigin, serveOrigin } from './served-origin.ts';

const mebibyte = 1024 * 1024;
const exchangeMs = 1500;
const patience = { timeout: 25_000, interval: 50 };
let served: ServedOrigin;
/** Whose exchanges may stand still for a short time. */
let hasty: ServedOrigin;

beforeAll(async () => {
  served = await serveOrigin();
  hasty = await serveOrigin(exchangeMs);
});

afterAll(async () => {
  await served?.close();
  await hasty?.close();
});

const headers = { 'Meridian-Namespace': 'config' };
const pathOf = (key: string) => `/${encodeURIComponent(key)}?urlencoded=true`;

function send(key: string, asked: Asked = {}, { address }: ServedOrigin = served): Promise<Answer> {
  return ask(address, pathOf(key), { ...asked, headers: { ...headers, ...asked.headers } });
}

/** Begins an upload that says it is longer than what it sends, and sends no more. */
async function beginUpload(key: string, bytes: number, { address }: ServedOrigin): Promise<() => void> {
  const [host, port] = address.split(':');
  const upload = httpRequest({
    ...{ host, port, path: pathOf(key), method: 'PUT', agent: false },
    headers: { ...headers, 'Content-Length': 20 * mebibyte, Expect: '100-continue' },
  });
  upload.on('error', () => {});
  // The node has begun the exchange once it says so.
  await new Promise<void>((resolve) => upload.once('continue', resolve).flushHeaders());
  await new Promise<unknown>((resolve) => upload.write(Buffer.alloc(bytes), resolve));
  return () => upload.destroy();
}

/** Begins a download and reads nothing of it but its head. */
function beginDownload(key: string, { address }: ServedOrigin = served): Promise<IncomingMessage> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    httpRequest({ host, port, path: pathOf(key), headers, agent: false }, resolve)
      .on('error', reject)
      .end();
  });
}

describe('an upload', () => {
  it.each([0, 1, 65_535, 65_536, 65_537, mebibyte, 10 * mebibyte + 7])(
    'of %i bytes comes back as it was, sent whole and chunked',
    async (bytes) => {
      const body = Buffer.from(Array.from({ length: 257 }, (_, i) => i % 256));
      const value = Buffer.alloc(bytes, body);
      const length = { headers: { 'Content-Length': String(bytes) } };
      expect((await send('whole', { method: 'PUT', body: value, ...length })).status).toBe(200);
      const cuts = [value.subarray(0, bytes >> 1), value.subarray(bytes >> 1)].filter(({ length }) => length > 0);
      expect((await send('chunked', { method: 'PUT', body: cuts })).status).toBe(200);
      for (const key of ['whole', 'chunked']) {
        const answer = await send(key);
        expect([answer.headers['content-length'], answer.body.equals(value)]).toEqual([String(bytes), true]);
      }
    },
  );

  it('that is cut stores nothing and leaves its place to others', async () => {
    for (let i = 0; i < 20; i++) {
      const cut = await beginUpload('cut', 2 * mebibyte, served);
      cut();
    }
    const value = Buffer.alloc(2 * mebibyte, 'whole');
    const body = [value];
    await expect.poll(async () => (await send('after', { method: 'PUT', body })).status, patience).toBe(200);
    expect((await send('cut')).status).toBe(404);
    await expect.poll(() => served.statuses.filter((status) => status === 0).length, patience).toBe(20);
  });

  it('that turns out to be too long leaves its connection to the next request', async () => {
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(mebibyte), Buffer.from('\r\n')]);
    const head = 'Host: x\r\nMeridian-Namespace: config\r\n';
    const [host, port] = served.address.split(':');
    const socket = connect(Number(port), host);
    const write = (bytes: string | Buffer) => new Promise<unknown>((resolve) => socket.write(bytes, resolve));
    let seen = '';
    socket.setEncoding('utf8').on('data', (text) => {
      seen += text;
    });
    await write(`PUT ${pathOf('long')} HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n`);
    for (let i = 0; i < 27; i++) await write(chunk);
    await write(`0\r\n\r\nGET ${pathOf('long')} HTTP/1.1\r\n${head}Connection: close\r\n\r\n`);
    await once(socket, 'close');
    expect(seen).toMatch(/^HTTP\/1\.1 413 Value length of \d+ exceeds limit of 26214400\..*HTTP\/1\.1 404 Not Found/s);
  });

  it('keeps its place until it is written', async () => {
    const held: Array<() => void> = [];
    const slow = await serveOrigin(20_000, (origin) =>
      instead(origin, 'write', async (request, call) => {
        if (request.mutations[0]?.key !== 'small') await new Promise<void>((resolve) => held.push(resolve));
        return origin.write(request, call);
      }),
    );
    const body = Buffer.alloc(100_000);
    const puts = Array.from({ length: 12 }, (_, i) => send(`p${i}`, { method: 'PUT', body }, slow));
    await expect.poll(() => held.length, patience).toBe(8);
    // Time enough for a ninth to come.
    for (let i = 0; i < 20; i++) expect((await send('small', { method: 'PUT', body: 'x' }, slow)).status).toBe(200);
    expect(held.length).toBe(8);
    const answered = Promise.all(puts);
    let open = true;
    while (open) {
      for (const write of held.splice(0)) write();
      open = await Promise.race([answered.then(() => false), send('small', {}, slow).then(() => true)]);
    }
    expect((await answered).every(({ status }) => status === 200)).toBe(true);
    await slow.close();
  });

  it('that goes on coming is stored, though it takes longer than an exchange may stand still', async () => {
    const [host, port] = hasty.address.split(':');
    const upload = httpRequest({ host, port, path: pathOf('slow but sure'), method: 'PUT', agent: false, headers });
    const answered = once(upload, 'response');
    for (let i = 0; i < 8; i++) {
      upload.write(Buffer.alloc(100_000, i));
      await delay(exchangeMs / 4);
    }
    upload.end();
    const [answer] = (await answered) as [IncomingMessage];
    expect(answer.statusCode).toBe(200);
    expect((await send('slow but sure', {}, hasty)).body.byteLength).toBe(800_000);
  });

  it('that comes too slowly gives up its place at its deadline, however many there are', async () => {
    const slow = await Promise.all(Array.from({ length: 20 }, (_, i) => beginUpload(`slow${i}`, 2 * mebibyte, hasty)));
    const body = [Buffer.alloc(2 * mebibyte)];
    const put = async () => (await send('large', { method: 'PUT', body }, hasty)).status;
    expect((await send('small', { method: 'PUT', body: 'x' }, hasty)).status).toBe(200);
    await expect.poll(put, patience).toBe(200);
    expect((await send('slow0', {}, hasty)).status).toBe(404);
    for (const end of slow) end();
  });
});

describe('a download', () => {
  const value = Buffer.alloc(25 * mebibyte, 'large value ');

  beforeAll(async () => {
    expect((await send('large', { method: 'PUT', body: value })).status).toBe(200);
  });

  it('that is not read holds no other request up, and is whole once it is read', async () => {
    const unread = await Promise.all(Array.from({ length: 4 }, () => beginDownload('large')));
    expect((await send('small', { method: 'PUT', body: 'x' })).status).toBe(200);
    expect((await send('small')).body.toString()).toBe('x');
    for (const download of unread) {
      const chunks: Buffer[] = [];
      for await (const chunk of download) chunks.push(chunk);
      expect(Buffer.concat(chunks).equals(value)).toBe(true);
    }
  });

  it('that goes on being read is not cut, though it takes longer than an exchange may stand still', async () => {
    expect((await send('large', { method: 'PUT', body: value }, hasty)).status).toBe(200);
    const download = await beginDownload('large', hasty);
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of download) {
      chunks.push(chunk);
      bytes += chunk.byteLength;
      if (bytes < 3 * mebibyte) continue;
      bytes = 0;
      await delay(exchangeMs / 3);
    }
    expect(Buffer.concat(chunks).equals(value)).toBe(true);
  });

  it('that is not read at all is cut', async () => {
    const cutBefore = hasty.statuses.filter((status) => status === 0).length;
    const download = await beginDownload('large', hasty);
    download.on('error', () => {});
    await expect.poll(() => hasty.statuses.filter((status) => status === 0).length, patience).toBe(cutBefore + 1);
  });

  it('that is cut ends on our side too', async () => {
    const cutBefore = served.statuses.filter((status) => status === 0).length;
    for (let i = 0; i < 10; i++) {
      const download = await beginDownload('large');
      download.on('error', () => {}).destroy();
    }
    await expect.poll(() => served.statuses.filter((status) => status === 0).length, patience).toBe(cutBefore + 10);
    expect((await send('large')).body.equals(value)).toBe(true);
  });

  it('hands on one slice until the client has taken it, copies none, and ends with the signal', async () => {
    const taken: Buffer[] = [];
    let take = (): void => {};
    const client = new Writable({
      write: (chunk, _encoding, done) => {
        taken.push(chunk);
        take = done;
      },
    });
    const response = Object.assign(client, { setHeader: () => {} }) as unknown as ServerResponse;
    const gone = new AbortController();
    const sent = sendValue(response, value, { signal: gone.signal, moved: () => {} });
    await Promise.resolve();
    expect(client.writableLength).toBeLessThanOrEqual(mebibyte);
    take();
    await expect.poll(() => taken.length).toBe(2);
    expect(taken.every(({ buffer }) => buffer === value.buffer)).toBe(true);
    expect(client.writableLength).toBeLessThanOrEqual(mebibyte);
    gone.abort(new Error('the client is gone'));
    await expect(sent).rejects.toThrow('the client is gone');
  });
});

it.each(['of the binding', 'of the REST API'])(
  'a list %s takes room as values do, until it is read or its client is gone',
  async (surface) => {
    // More than sockets hold: each control character is six in JSON.
    const keys = Array.from({ length: 1000 }, (_, n) => {
      return { key: String(n) + '\u0001'.repeat(3_000), stamp: '0'.repeat(32) as never, valueBytes: 0 };
    });
    const long = await serveOrigin(20_000, (origin) =>
      instead(origin, 'list', async (request, call) => ({ ...(await origin.list(request, call)), keys })),
    );
    const { id } = await long.origin.find('config', aCall());
    const [host, port] = long.address.split(':');
    const path = surface.includes('REST') ? `/client/v4/accounts/a/storage/kv/namespaces/${id}/keys` : '/';
    const own = surface.includes('REST') ? {} : headers;
    const begin = () =>
      new Promise<IncomingMessage>((resolve, reject) => {
        httpRequest({ host, port, path, headers: own, agent: false }, resolve).on('error', reject).end();
      });
    const { answers } = long.rooms;
    const unread = await begin();
    expect(answers.bytesLeaving).toBeGreaterThan(18_000_000);
    const chunks: Buffer[] = [];
    for await (const chunk of await begin()) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toContain(`999${'\\u0001'.repeat(3_000)}`);
    unread.on('error', () => {}).destroy();
    await expect.poll(() => answers.bytesLeaving, patience).toBe(0);
    await long.close();
  },
);

it('a write that outlasts the exchange is told as such, whatever was thrown for it', async () => {
  const late = await serveOrigin(300, (origin) =>
    instead(origin, 'write', (_request, { signal }) => {
      const error = new MeridianError('CANCELLED', 'the call was given up', { reason: 'cancelled' });
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(error)));
    }),
  );
  const answer = await send('k', { method: 'PUT', body: 'x' }, late);
  expect(answer).toMatchObject({ status: 504, reason: 'the request took too long' });
  await late.close();
});

it('a record that has expired is absent to get, bulk get, list and the REST API', async () => {
  const { id } = await served.origin.find('config', aCall());
  const mutations = [
    { kind: 'put' as const, key: 'e/soon', value: Buffer.from('x'), expiry: { kind: 'in' as const, seconds: 1 } },
    { kind: 'put' as const, key: 'e/stays', value: Buffer.from('x') },
  ];
  await served.origin.write({ namespace: 'config', mutations, session: emptySession }, aCall());
  await expect.poll(async () => (await send('e/soon')).status, patience).toBe(404);
  const bulk = { method: 'POST', headers, body: '{"keys":["e/soon","e/stays"]}' };
  expect((await ask(served.address, '/bulk/get', bulk)).body.toString()).toBe('{"e/soon":null,"e/stays":"x"}');
  const list = JSON.parse((await ask(served.address, '/?prefix=e%2F', { headers })).body.toString());
  expect(list).toEqual({ keys: [{ name: 'e/stays' }], list_complete: true });
  const rest = `/client/v4/accounts/a/storage/kv/namespaces/${id}`;
  expect((await ask(served.address, `${rest}/values/e%2Fsoon`)).status).toBe(404);
  expect((await ask(served.address, `${rest}/metadata/e%2Fsoon`)).status).toBe(404);
});
