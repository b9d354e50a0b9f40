import { afterEach, expect, it } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import { emptySession } from '../../src/model/session.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { aCall, Chain, get, textOf, until } from './chain.ts';

const chain = new Chain();
afterEach(() => chain.close());

it.each([
  ['copy', ['*']],
  ['cache', []],
] as const)('a %s whose disk has failed, and cannot be opened again, asks its upstream', async (kind, replicate) => {
  const origin = await chain.origin('o');
  await origin.create('ns', aCall());
  const put = (value: string) => {
    const mutation = { kind: 'put', key: 'k', value: Buffer.from(value) } as const;
    return origin.write({ namespace: 'ns', mutations: [mutation], session: emptySession }, aCall());
  };
  await put('1');
  const disk = new MemoryDisk();
  let isDead = false;
  const store = disk.open();
  const reopen = store.reopen.bind(store);
  store.reopen = async () => {
    if (isDead) throw new MeridianError('INTERNAL', 'the disk is dead', { reason: 'disk' });
    return reopen();
  };
  const memory = { cacheMemoryBytesMax: 0 };
  const edge = await chain.edge('e', [origin], { replicate, [`${kind}Store`]: store, ...memory });
  await until(async () => (await edge.status()).scopes.every(({ boundMs }) => boundMs !== undefined));
  expect(textOf(await get(edge, 'k'))).toBe('1');
  isDead = true;
  disk.nextCommitFails = 'lost';
  await put('2');
  await until(() => disk.nextCommitFails === undefined);
  for (let i = 0; i < 5; i++) {
    const answer = await get(edge, 'k');
    expect([textOf(answer), answer.source]).toEqual(['2', 'origin']);
  }
  isDead = false;
});

it.each(['disk-full', 'store-failed'])(
  'asks its upstream where it cannot follow for its own disk: %s',
  async (what) => {
    const origin = await chain.origin('o');
    await origin.create('ns', aCall());
    const put = (key: string) => {
      const mutation = { kind: 'put', key, value: Buffer.from('v') } as const;
      return origin.write({ namespace: 'ns', mutations: [mutation], session: emptySession }, aCall());
    };
    await put('k');
    const disk = new MemoryDisk();
    const edge = await chain.edge('e', [origin], {
      replicate: ['*'],
      copyStore: disk.open(),
      maxStalenessMs: 50,
      backoff: { firstMs: 60_000, mostMs: 60_000 },
    });
    await until(async () => (await get(edge, 'k')).source === 'copy');
    disk.full = what === 'disk-full';
    if (what === 'store-failed') disk.nextCommitFails = 'lost';
    await put('other');
    await until(async () => (await edge.status()).scopes.every(({ state }) => state === 'connecting'));
    await until(async () => (await edge.status()).scopes.every(({ boundMs = 51 }) => boundMs > 50));
    const { source, past } = await get(edge, 'k');
    expect([source, past]).toEqual(['origin', false]);
  },
);
