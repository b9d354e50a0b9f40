import Cloudflare, { toFile } from 'cloudflare';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type Asked, ask, type ServedOrigin, serveOrigin } from './served-origin.ts';

let served: ServedOrigin;
let sdk: Cloudflare;
let id: string;
const account_id = 'any';
const base = '/client/v4/accounts/any/storage/kv/namespaces';

beforeAll(async () => {
  served = await serveOrigin();
  sdk = new Cloudflare({ apiToken: 'token', baseURL: `http://${served.address}/client/v4`, maxRetries: 0 });
  id = (await served.origin.create('rest')).namespace.id;
});

afterAll(() => served.close());

const send = (path: string, asked: Asked = {}): Promise<Answer> => ask(served.address, `${base}${path}`, asked);
const json = ({ body }: Answer) => JSON.parse(body.toString());
const value = (key: string, query = '') => `/${id}/values/${encodeURIComponent(key)}${query}`;

describe('the REST API through the SDK', () => {
  it('creates, shows, renames, lists and removes namespaces', async () => {
    const { namespaces } = sdk.kv;
    const made = await namespaces.create({ account_id, title: 'sdk' });
    expect(made).toEqual({ id: expect.stringMatching(/^[0-9a-f]{32}$/), title: 'sdk', supports_url_encoding: true });
    await namespaces.update(made.id, { account_id, title: 'renamed' });
    expect(await namespaces.get(made.id, { account_id })).toMatchObject({ title: 'renamed' });
    for (let i = 0; i < 5; i++) await namespaces.create({ account_id, title: `page ${i}` });
    const titles: string[] = [];
    for await (const { title } of namespaces.list({ account_id, per_page: 5, order: 'title' })) titles.push(title);
    expect(titles).toEqual(['config', 'page 0', 'page 1', 'page 2', 'page 3', 'page 4', 'renamed', 'rest']);
    await namespaces.delete(made.id, { account_id });
    await expect(namespaces.get(made.id, { account_id })).rejects.toMatchObject({ status: 404 });
  });

  it('puts a value with metadata as a form, and gets both', async () => {
    const key = 'dir/ü %2F?#🚀';
    const { values, metadata } = sdk.kv.namespaces;
    const at = { account_id, namespace_id: id };
    await values.update(key, { ...at, value: 'text ü', metadata: '{"von":"Jürgen"}', expiration_ttl: 60 });
    const got = await values.get(key, at);
    expect([await got.text(), Number(got.headers.get('expiration'))]).toEqual(['text ü', expect.any(Number)]);
    expect(await metadata.get(key, at)).toEqual({ von: 'Jürgen' });
    await values.delete(key, at);
    await expect(values.get(key, at)).rejects.toMatchObject({ status: 404 });
  });

  it('keeps metadata that are given as an object, their leaves as texts', async () => {
    const { values, metadata } = sdk.kv.namespaces;
    const at = { account_id, namespace_id: id };
    const given = { type: 'text/plain', tags: ['a', 'b'], by: { name: 'Jürgen', age: 7 }, list: [{ x: 'y' }] };
    await values.update('object', { ...at, value: 'x', metadata: given });
    expect(await metadata.get('object', at)).toEqual({ ...given, by: { name: 'Jürgen', age: '7' } });
    await values.update('object', { ...at, value: 'x', metadata: JSON.stringify(given) });
    expect(await metadata.get('object', at)).toEqual(given);
    await expect(
      values.update('object', { ...at, value: 'x', metadata: { long: 'm'.repeat(1024) } }),
    ).rejects.toMatchObject({ status: 413 });
  });

  it('writes, reads, lists and deletes in bulk', async () => {
    const keys = Array.from({ length: 12 }, (_, i) => `bulk/${String(i).padStart(2, '0')}`);
    const body = keys.map((key, i) => ({
      key,
      value: Buffer.from([i, 255]).toString('base64'),
      base64: true,
      metadata: { i },
    }));
    expect(await sdk.kv.namespaces.bulkUpdate(id, { account_id, body })).toEqual({
      successful_key_count: 12,
      unsuccessful_keys: [],
    });
    expect((await send(value('bulk/03'))).body).toEqual(Buffer.from([3, 255]));
    const listed: unknown[] = [];
    for await (const key of sdk.kv.namespaces.keys.list(id, { account_id, prefix: 'bulk/', limit: 10 }))
      listed.push(key);
    expect(listed).toEqual(keys.map((name, i) => ({ name, metadata: { i } })));
    await sdk.kv.namespaces.bulkDelete(id, { account_id, body: keys });
    expect(json(await send(`/${id}/keys?prefix=bulk%2F`))).toMatchObject({
      result: [],
      result_info: { count: 0, cursor: '' },
    });
  });

  it('deletes in bulk by the older endpoint too, keys that are absent among them', async () => {
    await send(value('old'), { method: 'PUT', body: 'x' });
    const body = '["old","never"]';
    const headers = { 'Content-Length': String(body.length) };
    const answer = await send(`/${id}/bulk`, { method: 'DELETE', headers, body });
    expect(json(answer).result).toEqual({ successful_key_count: 2, unsuccessful_keys: [] });
    expect((await send(value('old'))).status).toBe(404);
  });

  it('gets many keys, null where one is absent', async () => {
    await send(value('g1'), { method: 'PUT', body: '{"a":1}' });
    const got = await sdk.kv.namespaces.bulkGet(id, { account_id, keys: ['g1', 'g0'], type: 'json' });
    expect(got).toEqual({ values: { g1: { a: 1 }, g0: null } });
  });

  it('keeps the bytes of a file in a form', async () => {
    const bytes = Buffer.from([0, 255, 128, 13, 10]);
    const form = new FormData();
    form.set('value', await toFile(bytes, 'v.bin'));
    form.set('metadata', 'null');
    const url = `http://${served.address}${base}${value('file')}`;
    expect((await fetch(url, { method: 'PUT', body: form })).status).toBe(200);
    expect((await send(value('file'))).body).toEqual(bytes);
  });
});

describe('the REST API refuses', () => {
  const noId = 'f'.repeat(32);
  it.each([
    ['an absent key', 'GET', () => value('none'), undefined, 404, 10009, "get: 'key not found'"],
    ['an unknown namespace', 'GET', () => `/${noId}/keys`, undefined, 404, 10013, "list keys: 'namespace not found'"],
    ['the registry', 'PUT', () => `/${'0'.repeat(32)}/values/k`, 'x', 404, 10013, "put: 'namespace not found'"],
    [
      'a title as id',
      'GET',
      () => '/rest',
      undefined,
      400,
      10011,
      "could not parse UUID from request's namespace_id: 'uuid: incorrect UUID length: rest'",
    ],
    ['a request without title', 'POST', () => '', '{}', 400, 10019, "create namespace: 'missing title'"],
    ['a page of 4', 'GET', () => '?per_page=4', undefined, 400, 10008, "list namespaces: 'malformed per_page'"],
    ['page 0', 'GET', () => '?page=0', undefined, 400, 10007, "list namespaces: 'malformed page'"],
    ['an unknown endpoint', 'GET', () => `/${id}/nothing`, undefined, 404, 10025, "request: 'endpoint does not exist'"],
    [
      'a limit of 9',
      'GET',
      () => `/${id}/keys?limit=9`,
      undefined,
      400,
      10028,
      "list keys: 'limit must be from 10 to 1000'",
    ],
  ])('%s', async (_, method, path, body, status, code, message) => {
    const answer = await send(path(), { method, ...(body === undefined ? {} : { body }) });
    expect(answer.status).toBe(status);
    expect(json(answer)).toEqual({ success: false, errors: [{ code, message }], messages: [], result: null });
  });

  it('a title that is taken', async () => {
    const answer = await send('', { method: 'POST', body: '{"title":"rest"}' });
    const message = "create namespace: 'a namespace with this account ID and title already exists'";
    expect([answer.status, json(answer).errors]).toEqual([400, [{ code: 10014, message }]]);
  });

  it.each([
    ['59', 400, 'Expiration TTL must be at least 60.'],
    ['x', 400, 'Please specify integer greater than 0.'],
  ])('a ttl of %s', async (ttl, status, words) => {
    const answer = await send(value('k', `?expiration_ttl=${ttl}`), { method: 'PUT', body: 'x' });
    expect([answer.status, json(answer).errors]).toEqual([
      status,
      [{ code: 10033, message: expect.stringContaining(words) }],
    ]);
  });

  it('a value of 25 MiB and a byte, 10,001 pairs, and a form without its boundary, and goes on', async () => {
    expect(json(await send(value('k'), { method: 'PUT', body: Buffer.alloc(26_214_401) })).errors[0].code).toBe(10024);
    const pairs = JSON.stringify(Array.from({ length: 10_001 }, (_, i) => ({ key: `${i}`, value: '' })));
    expect((await send(`/${id}/bulk`, { method: 'PUT', body: pairs })).status).toBe(413);
    const headers = { 'content-type': 'multipart/form-data' };
    expect((await send(value('k'), { method: 'PUT', body: 'junk', headers })).status).toBe(400);
    expect((await send(value('k'))).status).toBe(404);
  });

  it('a form of more fields than there can be, or with a head that does not end, before anybody reads it', async () => {
    const headers = { 'content-type': 'multipart/form-data; x="; boundary=z"; boundary=b' };
    const head = (name: string) => `--b\r\ncontent-disposition: form-data; name="${name}"`;
    const part = (name: string, text: string) => `${head(name)}\r\n\r\n${text}\r\n`;
    const put = async (...parts: string[]) => {
      const body = `${parts.join('')}--b--\r\n`;
      return (await send(value('form'), { method: 'PUT', headers, body })).status;
    };
    const most = 25 * 1024 * 1024;
    const many = part('metadata[a]', 'x').repeat(Math.floor(most / 60));
    expect(await put(many, part('value', 'v'))).toBe(413);
    expect(await put(`${head('value')}\r\n${'x: y\r\n'.repeat(most / 6)}\r\nv\r\n`)).toBe(413);
    expect(await put(`${head('value')}${'; a="b"'.repeat(most / 8)}`)).toBe(413);
    const blank = '\r\n\r\n'.repeat(100_000);
    const few = Array.from({ length: 100 }, (_, n) => part(`metadata[${n}]`, '1')).join('');
    expect(await put(part('value', blank), few)).toBe(200);
    expect((await send(value('form'))).body.toString()).toBe(blank);
  });

  it('metadata that are no JSON', async () => {
    const form = new FormData();
    form.set('value', 'x');
    form.set('metadata', '{');
    const url = `http://${served.address}${base}${value('k')}`;
    const answer = (await (await fetch(url, { method: 'PUT', body: form })).json()) as { errors: object[] };
    expect(answer.errors).toEqual([{ code: 10147, message: "put: 'Metadata must be valid JSON'" }]);
  });

  it('a bulk of nothing for a namespace that is not there', async () => {
    expect(json(await send(`/${noId}/bulk`, { method: 'PUT', body: '[]' })).errors[0].code).toBe(10013);
    expect((await send(`/${id}/bulk`, { method: 'PUT', body: '[]' })).status).toBe(200);
  });

  it('one bad pair with all the others of its bulk', async () => {
    const pairs = JSON.stringify([
      { key: 'whole', value: 'x' },
      { key: 'bad', value: 'x', expiration_ttl: 5 },
    ]);
    expect((await send(`/${id}/bulk`, { method: 'PUT', body: pairs })).status).toBe(400);
    expect((await send(value('whole'))).status).toBe(404);
  });

  it.each([
    ['PUT', 'values/k?expiration=1', 'x', 400, 10033],
    ['PUT', 'bulk', '{', 400, 10001],
    ['PUT', 'bulk', '{}', 400, 10001],
    ['PUT', 'bulk', '[{"key":"k"}]', 400, 10012],
    ['PUT', 'bulk', '[{"key":"..","value":""}]', 400, 10001],
    ['PUT', 'bulk', '[{"key":"k","value":"no base64!","base64":true}]', 400, 10012],
    ['PUT', 'bulk', `[{"key":"k","value":"","metadata":"${'m'.repeat(1023)}"}]`, 413, 10024],
    ['PUT', 'bulk', '[{"key":"k","value":"abcde","base64":true}]', 400, 10012],
    ['PUT', 'bulk', '[{"key":"k","value":"=","base64":true}]', 400, 10012],
    ['PUT', 'bulk', `[{"key":"k","value":"${'\\n'.repeat(500_000)}!","base64":true}]`, 400, 10012],
    ['PUT', 'bulk', '[{"key":"k","value":"","expiration_ttl":{"toString":1,"valueOf":1}}]', 400, 10033],
    ['PUT', 'bulk', `[{"key":"k","value":"","metadata":${'['.repeat(20_000)}${']'.repeat(20_000)}}]`, 413, 10024],
    ['PUT', 'bulk', `[${'{},'.repeat(10_000)}{}]`, 413, 10024],
    ['PUT', 'bulk', `[{"key":"k","value":"","metadata":[${'0,'.repeat(4_000_000)}0]}]`, 413, 10024],
    ['POST', 'bulk/get', '{"keys":["a"],"type":{"toString":1}}', 400, 10001],
    ['POST', 'bulk/get', '{"keys":[]}', 400, 10001],
    ['POST', 'bulk/get', '{"keys":["a"],"type":"stream"}', 400, 10001],
    ['PUT', `values/${'k'.repeat(513)}`, 'x', 414, 10001],
    ['PUT', 'values/%zz', 'x', 400, 10001],
  ])('%s %s with a body that begins %.30j', async (method, path, body, status, code) => {
    const answer = await send(`/${id}/${path}`, { method, body });
    expect([answer.status, json(answer).success, json(answer).errors[0].code]).toEqual([status, false, code]);
  });
});

describe('the REST API keeps', () => {
  it('what a form’s value begins with, a byte order mark too', async () => {
    const mark = Buffer.from([0xef, 0xbb, 0xbf]);
    const part = (name: string, text: string | Buffer) => [
      Buffer.from(`--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
      Buffer.from(text),
      Buffer.from('\r\n'),
    ];
    const put = async (...parts: Buffer[]) => {
      const headers = { 'content-type': 'multipart/form-data; boundary=b' };
      const body = Buffer.concat([...parts, Buffer.from('--b--\r\n')]);
      expect((await send(value('marked'), { method: 'PUT', headers, body })).status).toBe(200);
      return (await send(value('marked'))).body;
    };
    const marked = Buffer.concat([mark, Buffer.from('hello')]);
    expect(await put(...part('value', marked))).toEqual(marked);
    expect(await put(...part('metadata', '"name=\\"value\\""'), ...part('value', marked))).toEqual(marked);
    expect(await put(...part('value', 'hello'), ...part('metadata', '1'))).toEqual(Buffer.from('hello'));
    expect(await put(...part('value', ''), ...part('metadata', '1'))).toEqual(Buffer.alloc(0));
  });

  it('white space within base64 out of its value', async () => {
    const body = '[{"key":"spaced","value":" aGV\\r\\n sbG8 =\\n","base64":true}]';
    expect((await send(`/${id}/bulk`, { method: 'PUT', body })).status).toBe(200);
    expect((await send(value('spaced'))).body.toString()).toBe('hello');
  });

  it.each(['a/b', '../up', './a', 'values/x', 'metadata', 'ü %?#&=+', '日本語', 'a%2Fb', ' ', '%', '/lead', 'trail/'])(
    'the key %j apart from every other',
    async (key) => {
      expect((await send(value(key), { method: 'PUT', body: `of ${key}` })).status).toBe(200);
      expect((await send(value(key))).body.toString()).toBe(`of ${key}`);
      const listed = json(await send(`/${id}/keys?prefix=${encodeURIComponent(key)}`)).result;
      expect(listed).toContainEqual({ name: key });
      expect((await send(value(key), { method: 'DELETE' })).status).toBe(200);
      expect((await send(value(key))).status).toBe(404);
    },
  );

  it('the order of keys over all pages, each key once', async () => {
    const keys = Array.from({ length: 25 }, (_, i) => `page/${String(i).padStart(2, '0')}`);
    const body = JSON.stringify(keys.map((key) => ({ key, value: '' })).reverse());
    expect((await send(`/${id}/bulk`, { method: 'PUT', body })).status).toBe(200);
    const names: string[] = [];
    const counts: number[] = [];
    for (let cursor = ''; ; ) {
      const page = json(await send(`/${id}/keys?prefix=page%2F&limit=10&cursor=${encodeURIComponent(cursor)}`));
      names.push(...page.result.map(({ name }: { name: string }) => name));
      counts.push(page.result_info.count);
      cursor = page.result_info.cursor;
      if (cursor === '') break;
    }
    expect([names, counts]).toEqual([keys, [10, 10, 5]]);
  });
});
