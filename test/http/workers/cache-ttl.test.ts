import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Upstream } from '../../../src/model/upstream.ts';
import { aCall } from '../../rpc/loopback.ts';
import { ask, instead, type ServedOrigin, serveOrigin } from './served-origin.ts';

const headers = { 'Meridian-Namespace': 'config' };
/** What reads were asked to accept. */
const accepted: Array<number | undefined> = [];
let past = false;
let served: ServedOrigin;

beforeAll(async () => {
  served = await serveOrigin(20_000, (origin): Upstream => {
    const noted = instead(origin, 'get', async (request, call) => {
      accepted.push(request.maxStalenessMs);
      return { ...(await origin.get(request, call)), past };
    });
    return instead(noted, 'list', async (request, call) => ({ ...(await origin.list(request, call)), past }));
  });
  await ask(served.address, '/k?urlencoded=true', { method: 'PUT', body: 'x', headers });
});

afterAll(() => served.close());

it('cacheTtl is the greatest age that a read accepts; without it the node decides', async () => {
  await ask(served.address, '/k?urlencoded=true&cache_ttl=30', { headers });
  await ask(served.address, '/k?urlencoded=true', { headers });
  await ask(served.address, '/bulk/get', { method: 'POST', headers, body: '{"keys":["k"],"cacheTtl":"60"}' });
  expect(accepted.splice(0)).toEqual([30_000, undefined, 60_000]);
});

it('an answer that may be older than what was asked for says that it is stale', async () => {
  const { id } = await served.origin.find('config', aCall());
  const rest = `/client/v4/accounts/a/storage/kv/namespaces/${id}`;
  const body = '{"keys":["k","absent"]}';
  const reads: ReadonlyArray<Parameters<typeof ask>> = [
    [served.address, '/k?urlencoded=true', { headers }],
    [served.address, '/absent?urlencoded=true', { headers }],
    [served.address, '/', { headers }],
    [served.address, '/bulk/get', { method: 'POST', headers, body }],
    [served.address, `${rest}/values/k`],
    [served.address, `${rest}/values/absent`],
    [served.address, `${rest}/metadata/k`],
    [served.address, `${rest}/keys`],
    [served.address, `${rest}/bulk/get`, { method: 'POST', body }],
  ];
  const statuses = () => Promise.all(reads.map(async (read) => (await ask(...read)).headers['cf-cache-status']));
  expect(await statuses()).toEqual(reads.map(() => 'MISS'));
  past = true;
  expect(await statuses()).toEqual(reads.map(() => 'STALE'));
});
