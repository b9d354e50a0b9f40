import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Gate } from '../../src/access/gate.ts';
import { hashOfToken } from '../../src/access/token-text.ts';
import type { Edge } from '../../src/edge/edge.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { Cable, Chain, get, isLive, put, textOf, until } from '../edge/chain.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { adminToken, type GuardedOrigin, openGuardedOrigin } from './guarded-origin.ts';

const tokenAgeMsMax = 3_600_000;
const tooOld = { code: 'UNAVAILABLE', details: { reason: 'tokens-too-old', limit: tokenAgeMsMax } };

let laterMs = 0;
const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + laterMs };
let chain: Chain;
let guarded: GuardedOrigin;
let cable: Cable;
let disks: { readonly copy: MemoryDisk; readonly cache: MemoryDisk };

beforeEach(async () => {
  laterMs = 0;
  chain = new Chain();
  guarded = await openGuardedOrigin();
  cable = new Cable(guarded.origin);
  disks = { copy: new MemoryDisk(), cache: new MemoryDisk() };
  await guarded.origin.create('ns');
  await put(guarded.origin, 'k', 'v');
});

afterEach(async () => {
  await chain.close();
  await guarded.close();
});

function openEdge(): Promise<Edge> {
  const stores = { copyStore: disks.copy.open(), cacheStore: disks.cache.open() };
  return chain.edge('fra', [cable.upstream], {
    ...stores,
    clock,
    replicate: ['ns'],
    staleIfErrorMs: 10 * tokenAgeMsMax,
  });
}

function gateOf(edge: Edge, bounded = true): Gate {
  const age = bounded ? { tokenAgeMsMax } : {};
  return new Gate({ upstream: edge, source: edge, clock, adminHash: () => hashOfToken(adminToken), ...age });
}

const as = (gate: Gate, token: string): Upstream => gate.enter({ authorization: `Bearer ${token}`, address: '' });
const failureOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('what an edge believes of tokens', () => {
  it('is refused once it is older than it may be, at each use, and believed again once it is proven', async () => {
    const token = await guarded.issue({});
    const edge = await openEdge();
    await isLive(edge);
    const gate = gateOf(edge);
    const entered = as(gate, token);
    expect(textOf(await get(entered, 'k'))).toBe('v');
    cable.cut = true;
    await until(async () => (await edge.status()).scopes.every(({ state }) => state === 'connecting'));
    laterMs = tokenAgeMsMax - 60_000;
    expect(textOf(await get(entered, 'k'))).toBe('v');
    laterMs = tokenAgeMsMax + 1000;
    expect(failureOf(() => as(gate, token))).toMatchObject(tooOld);
    expect(failureOf(() => as(gate, token))).toMatchObject({
      message: expect.stringMatching(/may be 36\d\d\d\d\d ms old/),
    });
    await expect(get(entered, 'k')).rejects.toMatchObject(tooOld);
    // Nobody can tell a wrong one from one that was issued meanwhile.
    const other = token.replace(/^mdn_.{4}/, 'mdn_0000');
    expect(failureOf(() => as(gate, other))).toMatchObject(tooOld);
    expect(textOf(await get(as(gate, adminToken), 'k'))).toBe('v');
    expect(textOf(await get(as(gateOf(edge, false), token), 'k'))).toBe('v');
    cable.cut = false;
    await isLive(edge);
    expect(textOf(await get(entered, 'k'))).toBe('v');
    expect(failureOf(() => as(gate, other))).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('is refused after a restart until an upstream is heard', async () => {
    const token = await guarded.issue({});
    await isLive(await openEdge());
    await chain.close();
    cable.cut = true;
    const edge = await openEdge();
    expect(edge.knowsTokens()).toBe(true);
    expect(failureOf(() => as(gateOf(edge), token))).toMatchObject({
      ...tooOld,
      message: expect.stringContaining('nothing proves how old it is'),
    });
    expect(textOf(await get(as(gateOf(edge, false), token), 'k'))).toBe('v');
    cable.cut = false;
    await isLive(edge);
    expect(textOf(await get(as(gateOf(edge), token), 'k'))).toBe('v');
  });
});
