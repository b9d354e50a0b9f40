import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type Asked, ask, type ServedOrigin, serveOrigin } from './served-origin.ts';

let served: ServedOrigin;

beforeAll(async () => {
  served = await serveOrigin();
});

afterAll(() => served.close());

function send(path: string, { headers, ...asked }: Asked = {}): Promise<Answer> {
  return ask(served.address, path, { ...asked, headers: { 'Meridian-Namespace': 'config', ...headers } });
}

const url = (key: string, query = '') => `/${encodeURIComponent(key)}?urlencoded=true${query}`;
const put = (key: string, body: Asked['body'], query = '', headers = {}) =>
  send(url(key, query), { method: 'PUT', ...(body === undefined ? {} : { body }), headers });
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

describe('the binding protocol', () => {
  it('gives back what was put, with metadata and expiry', async () => {
    const metadata = Buffer.from('{"wer":"Jürgen 🚀"}').toString('latin1');
    const expiration = inSeconds(3600);
    expect((await put('full', 'value', `&expiration=${expiration}`, { 'CF-KV-Metadata': metadata })).status).toBe(200);
    const { status, headers, body } = await send(url('full'));
    expect([status, body.toString()]).toEqual([200, 'value']);
    expect(headers['cf-kv-metadata']).toBe(metadata);
    expect(headers['cf-expiration']).toBe(String(expiration));
  });

  it('answers 404 for a key that is absent, and 200 with no bytes for an empty value', async () => {
    expect((await send(url('never'))).status).toBe(404);
    await put('empty', undefined);
    expect(await send(url('empty'))).toMatchObject({ status: 200, body: Buffer.alloc(0) });
  });

  it.each(['a/b', '../up', 'metrics', 'ü %?#', '日本語', 'a%2Fb', ' ', 'x&y=z+1', '/lead', '%'])(
    'keeps the key %j apart from every other',
    async (key) => {
      await put(key, `of ${key}`);
      expect((await send(url(key))).body.toString()).toBe(`of ${key}`);
    },
  );

  it('takes the path as it stands where it is not said to be encoded', async () => {
    await send('/plain%2Fkey', { method: 'PUT', body: 'x' });
    expect((await send(url('plain%2Fkey'))).status).toBe(200);
    expect((await send(url('plain/key'))).status).toBe(404);
  });

  it('takes the parameter urlencoded in any case of letters', async () => {
    await put('any/case', 'x');
    expect((await send('/any%2Fcase?urlencoded=TRUE')).body.toString()).toBe('x');
  });

  it('deletes a key, and an absent one too', async () => {
    await put('gone', 'x');
    for (let i = 0; i < 2; i++) expect((await send(url('gone'), { method: 'DELETE' })).status).toBe(200);
    expect((await send(url('gone'))).status).toBe(404);
  });

  it('lists pages in key order with metadata as text', async () => {
    for (const key of ['list/b', 'list/a', 'list/c']) await put(key, 'x', '', { 'CF-KV-Metadata': '{"k":1}' });
    const first = JSON.parse((await send('/?key_count_limit=2&prefix=list%2F')).body.toString());
    expect(first).toMatchObject({
      keys: [
        { name: 'list/a', metadata: '{"k":1}' },
        { name: 'list/b', metadata: '{"k":1}' },
      ],
      list_complete: false,
    });
    const rest = `/?prefix=list%2F&cursor=${encodeURIComponent(first.cursor)}`;
    expect(JSON.parse((await send(rest)).body.toString())).toEqual({
      keys: [{ name: 'list/c', metadata: '{"k":1}' }],
      list_complete: true,
    });
  });

  it('reads many keys at once as text or JSON, with metadata', async () => {
    await put('bulk1', '{"n":12345678901234567890}', '', { 'CF-KV-Metadata': '[1]' });
    await put('__proto__', '2');
    const bulk = async (body: unknown) =>
      (await send('/bulk/get', { method: 'POST', body: JSON.stringify(body) })).body.toString();
    expect(await bulk({ keys: ['bulk1', 'absent', '__proto__'], type: 'json' })).toBe(
      '{"bulk1":{"n":12345678901234567890},"absent":null,"__proto__":2}',
    );
    expect(await bulk({ keys: ['bulk1', 'absent'], withMetadata: true, cacheTtl: '60' })).toBe(
      '{"bulk1":{"value":"{\\"n\\":12345678901234567890}","metadata":[1]},"absent":null}',
    );
  });

  it.each([
    ['a long key', url('k'.repeat(513)), 414, 'UTF-8 encoded length of 513 exceeds key length limit of 512.'],
    ['a dotted key', url('..'), 400, 'Illegal key name "..". Please use a different name.'],
    ['bad encoding', '/%zz?urlencoded=true', 400, 'Could not URL-decode key name'],
    [
      'a short ttl',
      url('k', '&expiration_ttl=59'),
      400,
      'Invalid expiration_ttl of 59. Expiration TTL must be at least 60.',
    ],
    [
      'ttl 0',
      url('k', '&expiration_ttl=0'),
      400,
      'Invalid expiration_ttl of 0. Please specify integer greater than 0.',
    ],
    [
      'a time that has passed',
      url('k', '&expiration=1'),
      400,
      'Invalid expiration of 1. Please specify integer greater than the current number of seconds since the UNIX epoch.',
    ],
  ])('refuses %s on a put in the words of the original', async (_, path, status, reason) => {
    expect(await send(path, { method: 'PUT', body: 'x' })).toMatchObject({ status, reason });
  });

  it.each([
    [url('k', '&cache_ttl=29'), 'Invalid cache_ttl of 29. Cache TTL must be at least 30.'],
    ['/?key_count_limit=0', 'Invalid key_count_limit of 0. Please specify an integer greater than 0.'],
    ['/?key_count_limit=1001', 'Invalid key_count_limit of 1001. Please specify an integer less than 1000.'],
  ])('refuses a read of %s', async (path, reason) => {
    expect(await send(path)).toMatchObject({ status: 400, reason });
  });

  it('refuses a prefix that is longer than a key may be', async () => {
    const reason = 'UTF-8 encoded length of 513 exceeds key length limit of 512.';
    expect(await send(`/?prefix=${'p'.repeat(513)}`)).toMatchObject({ status: 414, reason });
    expect((await send(`/?prefix=${'p'.repeat(512)}`)).status).toBe(200);
  });

  it.each([
    [{ keys: [] }, 'You must request a minimum of 1 key'],
    [{ keys: Array.from({ length: 101 }, String) }, 'You can request a maximum of 100 keys'],
    [{ keys: ['a'], type: 'stream' }, '"stream" is not a valid type. Use "json" or "text"'],
  ])('refuses a bulk get %#', async (body, reason) => {
    expect(await send('/bulk/get', { method: 'POST', body: JSON.stringify(body) })).toMatchObject({
      status: 400,
      reason,
    });
  });

  it('refuses metadata of 1,025 bytes and values of 25 MiB and a byte, and keeps 25 MiB', async () => {
    const long = JSON.stringify('m'.repeat(1023));
    expect(await put('m', 'x', '', { 'CF-KV-Metadata': long })).toMatchObject({
      status: 413,
      reason: 'Metadata length of 1025 exceeds limit of 1024.',
    });
    const far = JSON.stringify('m'.repeat(50_000));
    expect(await put('m', 'x', '', { 'CF-KV-Metadata': far })).toMatchObject({
      status: 413,
      reason: 'Metadata length of 50002 exceeds limit of 1024.',
    });
    const most = Buffer.alloc(26_214_400, 'ab');
    expect((await put('large', [most.subarray(0, 9_999_999), most.subarray(9_999_999)])).status).toBe(200);
    expect((await send(url('large'))).body.equals(most)).toBe(true);
    const declared = await send(url('over'), {
      method: 'PUT',
      headers: { 'Content-Length': '26214401' },
      body: Buffer.alloc(26_214_401),
    });
    expect(declared).toMatchObject({ status: 413, reason: 'Value length of 26214401 exceeds limit of 26214400.' });
    expect((await put('over', [most, Buffer.alloc(70_000)])).status).toBe(413);
    expect((await send(url('over'))).status).toBe(404);
  });

  it('tells a value that is no JSON, and more than 25 MiB in all, of a bulk get', async () => {
    const bulk = (body: unknown) => send('/bulk/get', { method: 'POST', body: JSON.stringify(body) });
    await put('text', 'no JSON');
    expect(await bulk({ keys: ['text'], type: 'json' })).toMatchObject({
      status: 400,
      reason: 'At least one of the requested keys corresponds to a non-json value',
    });
    for (const key of ['half1', 'half2']) await put(key, Buffer.alloc(13 * 1024 * 1024, 'x'));
    expect(await bulk({ keys: ['half1', 'half2'] })).toMatchObject({
      status: 413,
      reason: 'Total size of request exceeds the limit of 25MB',
    });
  });

  it('breaks no line of its answer at line breaks that a request carries', async () => {
    const ttl = encodeURIComponent('5\r\nX-Evil: ü');
    const answer = await send(url('k', `&expiration_ttl=${ttl}`), { method: 'PUT', body: 'x' });
    const reason = 'Invalid expiration_ttl of 5  X-Evil: ü. Please specify integer greater than 0.';
    expect(answer).toMatchObject({ status: 400, reason });
    expect(answer.headers).not.toHaveProperty('x-evil');
    const key = 'a\r\nX-Evil: 1';
    await put(key, 'x');
    expect((await send(url(key))).body.toString()).toBe('x');
  });

  it('takes a namespace by its id too, and by a title that is not ASCII', async () => {
    const { namespace } = await served.origin.create('nö 日本');
    const title = { 'Meridian-Namespace': Buffer.from('nö 日本').toString('latin1') };
    expect((await send(url('k'), { method: 'PUT', body: 'of nö', headers: title })).status).toBe(200);
    const byId = await send(url('k'), { headers: { 'Meridian-Namespace': namespace.id } });
    expect(byId.body.toString()).toBe('of nö');
  });

  it('does not let an unknown namespace look like an absent key', async () => {
    const answer = await send(url('k'), { headers: { 'Meridian-Namespace': 'nowhere' } });
    expect(answer.status).toBe(400);
    expect(answer.reason).toContain('nowhere');
  });

  it('refuses the registry and unknown methods, and goes on', async () => {
    expect((await send(url('k'), { headers: { 'Meridian-Namespace': '0'.repeat(32) } })).status).toBeGreaterThanOrEqual(
      400,
    );
    const refused = await send(url('k'), { method: 'PATCH' });
    expect(refused).toMatchObject({ status: 405, headers: { allow: 'GET, PUT, DELETE, POST' } });
    expect((await send('/')).status).toBe(200);
  });

  it('answers others while more bodies than have places are slow to come', async () => {
    const [host, port] = served.address.split(':');
    const headers = { 'Meridian-Namespace': 'config', 'Content-Length': 1_000_000 };
    const held = Array.from({ length: 8 }, (_, i) =>
      httpRequest({ host, port, path: url(`held${i}`), method: 'PUT', headers, agent: false }).on('error', () => {}),
    );
    for (const request of held) await new Promise<unknown>((resolve) => request.write('x', resolve));
    expect((await put('meanwhile', 'small')).status).toBe(200);
    expect((await send(url('meanwhile'))).body.toString()).toBe('small');
    for (const request of held) request.destroy();
    expect((await put('after', Buffer.alloc(1_000_000))).status).toBe(200);
    expect((await send(url('held0'))).status).toBe(404);
  });
});
