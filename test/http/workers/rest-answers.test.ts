import { afterAll, beforeAll, expect, it } from 'vitest';
import { MeridianError } from '../../../src/model/errors.ts';
import { emptySession } from '../../../src/model/session.ts';
import { aCall } from '../../rpc/loopback.ts';
import { type Answer, ask, instead, type ServedOrigin, serveOrigin } from './served-origin.ts';

const base = '/client/v4/accounts/any/storage/kv/namespaces';
const expiration = Math.floor(Date.now() / 1000) + 3600;
let served: ServedOrigin;
let busy = false;
let id: string;

beforeAll(async () => {
  served = await serveOrigin(20_000, (origin) =>
    instead(origin, 'get', (request, call) => {
      if (!busy) return origin.get(request, call);
      throw new MeridianError('RESOURCE_EXHAUSTED', 'too many loads', { reason: 'loads', retryAfterMs: 1500 });
    }),
  );
  for (const title of ['b', 'd', 'a', 'e', 'c']) await served.origin.create(title);
  id = (await served.origin.find('config', aCall())).id;
  const value = Buffer.from('x');
  // White space between tokens and DEL within them are JSON, and may not stand in a header.
  const metadata = '{\n"a":\t"\x7fü"\r\n}';
  const mutations = [
    { kind: 'put' as const, key: 'ever', value, metadata },
    { kind: 'put' as const, key: 'soon', value, expiry: { kind: 'at' as const, seconds: expiration } },
  ];
  await served.origin.write({ namespace: 'config', mutations, session: emptySession }, aCall());
});

afterAll(() => served.close());

const get = (path: string) => ask(served.address, `${base}${path}`);
const json = ({ body }: Answer) => JSON.parse(body.toString());

it('lists namespaces by id or title, either way, in pages that say where they stand', async () => {
  const page = async (query: string) => json(await get(query));
  const titles = (answer: { result: Array<{ title: string }> }) => answer.result.map(({ title }) => title);
  const first = await page('?order=title&per_page=5');
  expect(titles(first)).toEqual(['a', 'b', 'c', 'config', 'd']);
  expect(first.result_info).toEqual({ page: 1, per_page: 5, count: 5, total_count: 6, total_pages: 2 });
  const second = await page('?order=title&per_page=5&page=2');
  expect(titles(second)).toEqual(['e']);
  expect(second.result_info).toEqual({ page: 2, per_page: 5, count: 1, total_count: 6, total_pages: 2 });
  expect(titles(await page('?order=title&direction=desc'))).toEqual(['e', 'd', 'config', 'c', 'b', 'a']);
  const ids = (await page('')).result.map((namespace: { id: string }) => namespace.id);
  expect(ids).toEqual([...ids].sort());
  expect((await page('?direction=desc')).result.map((namespace: { id: string }) => namespace.id)).toEqual(
    [...ids].reverse(),
  );
});

it('tells when a value expires: in a header, in lists, and in a bulk get with metadata', async () => {
  expect((await get(`/${id}/values/soon`)).headers['expiration']).toBe(String(expiration));
  expect((await get(`/${id}/values/ever`)).headers).not.toHaveProperty('expiration');
  expect(json(await get(`/${id}/keys?prefix=soon`)).result).toEqual([{ name: 'soon', expiration }]);
  const body = '{"keys":["soon","ever","never"],"withMetadata":true}';
  expect(json(await ask(served.address, `${base}/${id}/bulk/get`, { method: 'POST', body })).result.values).toEqual({
    soon: { value: 'x', metadata: null, expiration },
    ever: { value: 'x', metadata: { a: '\x7fü' } },
    never: null,
  });
});

it('the binding tells expiry in lists, not in a bulk get, and metadata as a header may carry them', async () => {
  const headers = { 'Meridian-Namespace': 'config' };
  const answer = await ask(served.address, '/ever?urlencoded=true', { headers });
  const text = Buffer.from(String(answer.headers['cf-kv-metadata']), 'latin1').toString();
  expect(JSON.parse(text)).toEqual({ a: '\x7fü' });
  expect(text).not.toContain('\x7f');
  expect(json(await ask(served.address, '/?prefix=soon', { headers })).keys).toEqual([{ name: 'soon', expiration }]);
  const body = '{"keys":["soon"],"withMetadata":true}';
  expect(json(await ask(served.address, '/bulk/get', { method: 'POST', headers, body }))).toEqual({
    soon: { value: 'x', metadata: null },
  });
});

it('says after how long to try again where a bound of the node is reached', async () => {
  busy = true;
  const rest = await get(`/${id}/values/ever`);
  expect([rest.status, rest.headers['retry-after'], json(rest).errors]).toEqual([
    429,
    '2',
    [{ code: 10022, message: "get: 'too many loads'" }],
  ]);
  const binding = await ask(served.address, '/ever?urlencoded=true', { headers: { 'Meridian-Namespace': 'config' } });
  expect([binding.status, binding.reason, binding.headers['retry-after']]).toEqual([429, 'too many loads', '2']);
  busy = false;
});
