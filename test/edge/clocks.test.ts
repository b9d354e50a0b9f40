import { afterEach, describe, expect, it } from 'vitest';
import { clockNotes } from '../../src/replication/clocks/clock-notes.ts';
import type { Clock } from '../../src/runtime/clock.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { aCall, Cable, Chain, get, textOf, until } from './chain.ts';

const hourMs = 3_600_000;
const chain = new Chain();
afterEach(() => chain.close());

function off(ms: number): Clock {
  return { ...systemClock, wallMs: () => systemClock.wallMs() + ms };
}

const writes = (seconds: number) => ({
  namespace: 'ns',
  mutations: [
    { kind: 'put' as const, key: 'k', value: Buffer.from('v'), expiry: { kind: 'in' as const, seconds } },
    { kind: 'put' as const, key: 'lasts', value: Buffer.from('v') },
  ],
  session: { vector: new Map(), stamp: '0'.repeat(32) as never },
});

describe.each([
  ['3 s behind', -3000],
  ['an hour ahead', hourMs],
])('an edge whose clock is %s', (_name, offMs) => {
  it.each([{ replicate: ['*'] }, { replicate: [] }])(
    'serves a value as long as its origin means, and says so: %j',
    async (kind) => {
      const origin = await chain.origin('o');
      await origin.create('ns', aCall());
      const edge = await chain.edge('e', [origin], { ...kind, clock: off(offMs) });
      await until(async () => (await edge.status()).scopes.every(({ boundMs }) => boundMs !== undefined));
      await origin.write(writes(2), aCall());
      const expiresMs = (Math.ceil(systemClock.wallMs() / 1000) + 2) * 1000;
      await until(async () => textOf(await get(edge, 'k')) === 'v');
      for (let served = true; served; ) {
        const beforeMs = systemClock.wallMs();
        served = (await get(edge, 'k')).record?.kind === 'live';
        // Seconds are rounded up, and the origin took the write a moment before `expiresMs` was reckoned.
        if (!served) expect(systemClock.wallMs()).toBeGreaterThanOrEqual(expiresMs - 1000);
        else expect(beforeMs).toBeLessThan(expiresMs + 1000);
        const { keys } = await edge.list(
          { namespace: 'ns', prefix: '', limit: 10, session: writes(1).session },
          aCall(),
        );
        expect(keys.map(({ key }) => key)).toContain('lasts');
      }
      const { clock, notes, ready } = await edge.status();
      expect(ready).toBe(true);
      expect(Math.abs((clock?.offsetMs ?? 0) - offMs)).toBeLessThan(500);
      expect(notes.join()).toMatch(
        offMs > 0 ? /its clock is 3600 s ahead of its upstream's/ : /its clock is \d+ ms behind/,
      );
    },
  );
});

it('an edge behind a relay whose clock is wrong goes by the clock of the origin', async () => {
  const origin = await chain.origin('o');
  await origin.create('ns', aCall());
  const relay = await chain.edge('r', [origin], { replicate: ['*'], clock: off(hourMs) });
  await until(async () => (await relay.status()).scopes.every(({ boundMs }) => boundMs !== undefined));
  const edge = await chain.edge('e', [relay], { replicate: ['*'], clock: off(-hourMs) });
  await until(async () => (await edge.status()).scopes.every(({ boundMs }) => boundMs !== undefined));
  const apartMs = edge.expiryClock.nowMs() - systemClock.wallMs();
  expect(Math.abs(apartMs)).toBeLessThan(500);
});

it('an edge takes no word of the clock of its origin from a relay that has slept since it heard of it', async () => {
  const origin = await chain.origin('o');
  await origin.create('ns', aCall());
  const cable = new Cable(origin);
  // A machine that sleeps for a while: time goes on, and its monotonic clock stands still.
  let sleptMs = 0;
  const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() - sleptMs };
  const relay = await chain.edge('r', [cable.upstream], { replicate: ['*'], clock });
  await until(async () => (await relay.status()).scopes.every(({ boundMs }) => boundMs !== undefined));
  const edge = await chain.edge('e', [relay], { replicate: ['*'] });
  const isBounded = async () => (await edge.status()).scopes.every(({ boundMs }) => boundMs !== undefined);
  await until(isBounded);
  cable.cut = true;
  sleptMs = hourMs;
  await until(async () => !(await isBounded()));
  expect(Math.abs(edge.expiryClock.nowMs() - systemClock.wallMs())).toBeLessThan(5000);
});

it('an edge that starts again without its upstream knows still how far its clock is off', async () => {
  const origin = await chain.origin('o');
  await origin.create('ns', aCall());
  const cable = new Cable(origin);
  const disks = [new MemoryDisk(), new MemoryDisk()];
  const opened = () =>
    chain.edge('e', [cable.upstream], {
      replicate: ['*'],
      clock: off(hourMs),
      copyStore: disks[0]?.open() as never,
      cacheStore: disks[1]?.open() as never,
    });
  const first = await opened();
  await origin.write(writes(600), aCall());
  await until(async () => {
    const answer = await get(first, 'k');
    return textOf(answer) === 'v' && answer.source === 'copy';
  });
  await until(() => disks[1]?.synced.meta.get('edge/node')?.toString().includes('clockOffsetMs') === true);
  await first.close();
  cable.cut = true;
  const again = await opened();
  expect((await again.status()).clock?.offsetMs).toBeUndefined();
  expect(textOf(await get(again, 'k'))).toBe('v');
});

it('what an operator has to know of a clock names the offset and what is permitted', () => {
  expect(clockNotes({ skewMaxMs: 500 })).toEqual([]);
  expect(clockNotes({ skewMaxMs: 500, offsetMs: 499, aheadMs: 2000 })).toEqual([]);
  expect(clockNotes({ skewMaxMs: 500, offsetMs: -501 }).join()).toContain('501 ms behind its upstream');
  expect(clockNotes({ skewMaxMs: 500, aheadMs: hourMs }).join()).toContain('3600 s ahead');
});
