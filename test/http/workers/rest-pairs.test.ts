import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type Asked, ask, type ServedOrigin, serveOrigin } from './served-origin.ts';

let served: ServedOrigin;
let id: string;

beforeAll(async () => {
  served = await serveOrigin();
  id = (await served.origin.create('pairs')).namespace.id;
});

afterAll(() => served.close());

const base = '/client/v4/accounts/any/storage/kv/namespaces';
const send = (path: string, asked: Asked = {}): Promise<Answer> => ask(served.address, `${base}${path}`, asked);
const json = ({ body }: Answer) => JSON.parse(body.toString());

describe('a bulk write', () => {
  const good = Array.from({ length: 7 }, (_, i) => JSON.stringify({ key: `good ${i}`, value: 'v' }));

  it.each([
    ['"key":"bad","value":"x","base64":"true"', 'base64 must be true or false, not "true"'],
    ['"key":"bad","value":"x","base64":1', 'base64 must be true or false, not 1'],
    ['"key":"bad","value":"x","base64":{}', 'base64 must be true or false, not [object]'],
    ['"key":"bad","value":"!","base64":true', 'a value that is said to be base64 is not'],
    ['"key":"bad"', 'each pair needs a value, a string, not undefined'],
    ['"key":"bad","value":null', 'each pair needs a value, a string, not null'],
    ['"key":"bad","value":5', 'each pair needs a value, a string, not 5'],
    ['"key":"bad","value":{"a":1}', 'each pair needs a value, a string, not [object]'],
    [
      '"key":"bad","value":"x","expiration":"4000000000"',
      'Invalid expiration of "4000000000". Please specify a number.',
    ],
    ['"key":"bad","value":"x","expiration_ttl":true', 'Invalid expiration_ttl of true. Please specify a number.'],
    ['"key":"bad","value":"x","expiration_ttl":60.5', 'Invalid expiration_ttl of 60.5.'],
    ['"key":"bad","value":"x","expiration_ttl":59', 'Expiration TTL must be at least 60.'],
    ['"key":"bad","value":"x","expiration":1', 'Invalid expiration of 1.'],
    ['"key":"bad","value":"x","expiration":253402300800', 'Expiration times must be at most 253402300799.'],
    ['"key":"bad","value":"x","expiration_ttl":253402300799', 'Expiration times must be at most 253402300799.'],
    [`"key":"bad","value":"x","metadata":"${'m'.repeat(1024)}"`, 'Metadata length of 1026 exceeds limit of 1024.'],
  ])('names the pair that has %.70s', async (fields, words) => {
    const body = `[${[...good.slice(0, 5), `{${fields}}`, ...good.slice(5)].join(',')}]`;
    const { errors, success } = json(await send(`/${id}/bulk`, { method: 'PUT', body }));
    expect(success).toBe(false);
    expect(errors[0].message).toContain('bulk put: \'pair 5 (key "bad"): ');
    expect(errors[0].message).toContain(words);
    expect(json(await send(`/${id}/keys`)).result).toEqual([]);
  });

  it.each([
    ['{"value":"x"}', 'pair 1: Key names must be strings, not undefined'],
    ['{"key":12345678901234567890,"value":"x"}', 'pair 1: Key names must be strings, not 12345678901234567000'],
    ['{"key":"","value":"x"}', 'pair 1 (key ""): Key names must not be empty'],
    ['[]', 'pair 1: each pair must be an object, not [array]'],
    ['null', 'pair 1: each pair must be an object, not null'],
  ])('names the pair %s by its place', async (pair, words) => {
    const answer = json(await send(`/${id}/bulk`, { method: 'PUT', body: `[${good[0]},${pair}]` }));
    expect(answer.errors[0].message).toContain(words);
  });

  it('names the key of a bulk delete that is none', async () => {
    const answer = json(await send(`/${id}/bulk/delete`, { method: 'POST', body: '["a","b",7]' }));
    expect(answer.errors[0].message).toContain('pair 2: Key names must be strings, not 7');
  });

  it('takes null for a field that is left out', async () => {
    const pair = { key: 'nulls', value: 'x', base64: null, expiration: null, expiration_ttl: null, metadata: null };
    expect((await send(`/${id}/bulk`, { method: 'PUT', body: JSON.stringify([pair]) })).status).toBe(200);
    expect(json(await send(`/${id}/keys?prefix=nulls`)).result).toEqual([{ name: 'nulls' }]);
  });

  it('keeps the digits of numbers in metadata', async () => {
    const body =
      '[{"key":"d0","value":"","metadata":{"n":1}},{"metadata":{ "id": 12345678901234567890 },"key":"d1","value":""}]';
    expect((await send(`/${id}/bulk`, { method: 'PUT', body })).status).toBe(200);
    expect((await send(`/${id}/metadata/d1`)).body.toString()).toContain('"result":{"id":12345678901234567890}');
    expect((await send(`/${id}/metadata/d0`)).body.toString()).toContain('"result":{"n":1}');
  });
});

describe('a namespace over REST', () => {
  it('has a title of up to 512 bytes', async () => {
    const title = 'é'.repeat(256);
    const made = json(await send('', { method: 'POST', body: JSON.stringify({ title }) }));
    expect(made.result.title).toBe(title);
    expect((await send(`/${made.result.id}/values/k`, { method: 'PUT', body: 'v' })).status).toBe(200);
    const longer = await send('', { method: 'POST', body: JSON.stringify({ title: `${title}e` }) });
    expect([longer.status, json(longer).errors[0].message]).toEqual([400, expect.stringContaining('512')]);
  });

  it('is refused with a jurisdiction, which nobody here could promise, and takes no notice of a mode', async () => {
    const refused = await send('', { method: 'POST', body: '{"title":"eu","jurisdiction":"eu"}' });
    expect([refused.status, json(refused).errors[0].message]).toEqual([400, expect.stringContaining('jurisdiction')]);
    const made = json(await send('', { method: 'POST', body: '{"title":"moded","mode":"x","jurisdiction":null}' }));
    expect(made.result).toEqual({ id: expect.any(String), title: 'moded', supports_url_encoding: true });
  });
});

describe('a list of keys over REST', () => {
  it.each(['x', 'AAAA', 'e30'])('is refused from the cursor %s, which is none of its own', async (cursor) => {
    expect((await send(`/${id}/keys?cursor=${cursor}`)).status).toBe(400);
  });
});

describe('a HEAD of a value', () => {
  it('is 200 with its headers and no body where the key is there, and 404 where it is not', async () => {
    await send(`/${id}/values/h?expiration_ttl=600`, { method: 'PUT', body: 'hello' });
    const found = await send(`/${id}/values/h`, { method: 'HEAD' });
    expect([found.status, found.headers['content-length'], found.body.length]).toEqual([200, '5', 0]);
    expect(Number(found.headers['expiration'])).toBeGreaterThan(0);
    const absent = await send(`/${id}/values/nothing`, { method: 'HEAD' });
    expect([absent.status, absent.body.length]).toEqual([404, 0]);
  });

  it('of a large value is 200 too', async () => {
    await send(`/${id}/values/large`, { method: 'PUT', body: Buffer.alloc(20 * 1024 * 1024) });
    const found = await send(`/${id}/values/large`, { method: 'HEAD' });
    expect([found.status, found.headers['content-length'], found.body.length]).toEqual([200, '20971520', 0]);
  });
});
