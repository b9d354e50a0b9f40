import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptySession } from '../../src/model/session.ts';
import { type ServedResp, serveResp } from '../resp/served.ts';
import { aCall } from '../rpc/loopback.ts';
import { type GuardedOrigin, openGuardedOrigin } from './guarded-origin.ts';

let guarded: GuardedOrigin;
let served: ServedResp;

beforeAll(async () => {
  guarded = await openGuardedOrigin();
  const { origin, gate } = guarded;
  for (const title of ['config', 'other']) {
    await origin.create(title);
    const mutations = [{ kind: 'put' as const, key: 'k/1', value: Buffer.from(`of ${title}`) }];
    await origin.write({ namespace: title, mutations, session: emptySession }, aCall());
  }
  served = await serveResp(origin, { entrance: gate });
});

afterAll(async () => {
  await served.close();
  await guarded.close();
});

describe('the Redis protocol of a node that asks for tokens', () => {
  it('serves nothing before AUTH brings a valid token', async () => {
    const client = await served.connect();
    for (const words of [
      ['GET', 'k/1'],
      ['SET', 'k/1', 'v'],
      ['DEL', 'k/1'],
      ['SCAN', '0'],
      ['MGET', 'k/1', 'k/2'],
      ['DBSIZE'],
      ['EXISTS', 'k/1'],
    ]) {
      expect(JSON.stringify(await client.ask(...words)), words.join(' ')).toMatch(/NOAUTH/);
    }
    for (const words of [
      ['AUTH', 'config', 'wrong'],
      ['AUTH', 'wrong'],
      ['HELLO', '3', 'AUTH', 'config', 'wrong'],
      ['AUTH', 'config', ''],
    ]) {
      expect(JSON.stringify(await client.ask(...words)), words.join(' ')).toMatch(/WRONGPASS/);
      expect(JSON.stringify(await client.ask('GET', 'k/1'))).toMatch(/NOAUTH Authentication required: AUTH with /);
    }
  });

  it('serves nobody on behalf of whoever was there before RESET', async () => {
    const token = await guarded.issue({ name: 'before', namespace: 'config', prefix: 'k/', rights: ['read'] });
    const client = await served.connect();
    await client.ask('AUTH', 'config', token);
    expect(await client.ask('GET', 'k/1')).toBe('of config');
    expect(JSON.stringify(await client.ask('RESET'))).toMatch(/RESET/);
    expect(JSON.stringify(await client.ask('GET', 'k/1'))).toMatch(/NOAUTH/);
  });

  it('goes on for whoever was there before an AUTH that is refused', async () => {
    const narrow = await guarded.issue({ name: 'narrow', namespace: 'config', prefix: 'k/', rights: ['read'] });
    const wide = await guarded.issue({ name: 'wide', namespace: '*', prefix: '', rights: ['read', 'write'] });
    const client = await served.connect();
    await client.ask('AUTH', 'config', narrow);
    expect(JSON.stringify(await client.ask('AUTH', 'no-such-namespace', wide))).toMatch(/WRONGPASS/);
    expect(await client.ask('GET', 'k/1')).toBe('of config');
    expect(JSON.stringify(await client.ask('SET', 'k/1', 'v'))).toMatch(/NOPERM/);
  });

  it('answers each write of a pipeline by itself: one that is refused keeps no other one from being written', async () => {
    const token = await guarded.issue({ name: 'piped', namespace: 'config', prefix: 'p/', rights: ['read', 'write'] });
    const client = await served.connect();
    await client.ask('AUTH', 'config', token);
    const words = Array.from({ length: 100 }, (_, n) => ['SET', n % 33 === 7 ? `other/${n}` : `p/${n}`, n]);
    const replies = await client.pipeline(...words, ['MSET', 'p/a', 1, 'q', 1], ['SETEX', 'p/b', 100, 'last']);
    const isRefused = (reply: unknown) => String(reply).startsWith('Error: NOPERM');
    expect(replies.flatMap((reply, at) => (isRefused(reply) ? [at] : []))).toEqual([7, 40, 73, 100]);
    expect(replies.filter((reply) => !isRefused(reply))).toEqual(Array(98).fill('+OK'));
    expect(await client.ask('MGET', 'p/0', 'p/99', 'p/a', 'p/b')).toEqual(['0', '99', null, 'last']);
    expect(await client.pipeline(['SET', 'q', 1], ['SET', 'q', 2])).toEqual([
      expect.stringMatching(/NOPERM/),
      expect.stringMatching(/NOPERM/),
    ]);
    const reads = await guarded.issue({ name: 'reads', namespace: 'config', prefix: 'p/', rights: ['read'] });
    await client.ask('AUTH', 'config', reads);
    const denied = await client.pipeline(...Array.from({ length: 10 }, (_, n) => ['SET', `p/${n}`, 'x']));
    expect(denied.filter(isRefused)).toHaveLength(10);
  });

  it('serves by the token’s scope and rights, until it is revoked', async () => {
    const token = await guarded.issue({ name: 'resp', namespace: 'config', prefix: 'k/', rights: ['read', 'list'] });
    const client = await served.connect();
    expect(JSON.stringify(await client.ask('AUTH', 'config', token))).toMatch(/OK/);
    expect(await client.ask('GET', 'k/1')).toBe('of config');
    for (const words of [
      ['GET', 'q'],
      ['SET', 'k/1', 'v'],
      ['DEL', 'k/1'],
      ['SCAN', '0'],
    ]) {
      expect(JSON.stringify(await client.ask(...words)), words.join(' ')).toMatch(/NOPERM/);
    }
    await client.ask('AUTH', 'other', token);
    expect(JSON.stringify(await client.ask('GET', 'k/1'))).toMatch(/NOPERM/);
    await client.ask('AUTH', 'config', token);
    expect(await client.ask('GET', 'k/1')).toBe('of config');
    await guarded.origin.revokeToken('resp');
    expect(JSON.stringify(await client.ask('GET', 'k/1'))).toMatch(/NOAUTH/);
  });
});
