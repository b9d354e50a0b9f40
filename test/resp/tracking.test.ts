import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { emptySession } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import type { Origin } from '../../src/origin/origin.ts';
import { instead } from '../http/workers/served-origin.ts';
import { aCall, openOrigin } from '../rpc/loopback.ts';
import { type RespClient, serveResp } from './served.ts';

let origin: Origin;
const closing: Array<() => Promise<unknown>> = [];

beforeEach(async () => {
  const opened = await openOrigin();
  closing.push(() => opened.close());
  origin = opened.origin;
  await origin.create('config', aCall());
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function tracking(upstream: Upstream, ...prefixes: readonly string[]): Promise<RespClient> {
  const served = await serveResp(upstream);
  closing.push(() => served.close());
  const client = await served.connect();
  await client.ask('HELLO', 3);
  const words = prefixes.flatMap((prefix) => ['PREFIX', prefix]);
  expect(await client.ask('CLIENT', 'TRACKING', 'ON', 'BCAST', ...words)).toBe('+OK');
  return client;
}

function put(key: string, value = key): Promise<unknown> {
  const mutations = [{ kind: 'put', key, value: Buffer.from(value) } as const];
  return origin.write({ namespace: 'config', session: emptySession, mutations }, aCall());
}

const invalidated = (...keys: string[]) => ({ push: ['invalidate', keys] });

describe('CLIENT TRACKING', () => {
  it('tells which keys under its prefixes were put or deleted, by anybody', async () => {
    const client = await tracking(origin, 'a/', 'b/');
    await put('a/1');
    expect(await client.reply()).toEqual(invalidated('a/1'));
    await put('c/1');
    const mutations = [{ kind: 'delete', key: 'b/1' } as const];
    await origin.write({ namespace: 'config', session: emptySession, mutations }, aCall());
    expect(await client.reply()).toEqual(invalidated('b/1'));
    expect(await client.ask('GET', 'a/1')).toBe('a/1');
    expect(await client.ask('CLIENT', 'TRACKING', 'OFF')).toBe('+OK');
    await put('a/1');
    expect(await client.ask('PING')).toBe('+PONG');
    expect(client.unread).toBe(0);
  });

  it('tells of all keys without a prefix, its own changes too', async () => {
    const client = await tracking(origin);
    client.socket.write('SET own 1\r\n');
    const seen = [await client.reply(), await client.reply()];
    expect(seen).toContainEqual(invalidated('own'));
    expect(seen).toContainEqual('+OK');
  });

  it('tells a change behind the reply to a read that was begun before it', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isHeld = false;
    const slow = instead(
      instead(origin, 'peek', () => undefined),
      'get',
      async (request, call) => {
        const answer = await origin.get(request, call);
        if (isHeld) await held;
        return answer;
      },
    );
    await put('k', 'old');
    const client = await tracking(slow);
    isHeld = true;
    client.socket.write('GET k\r\n');
    await put('k', 'new');
    await put('after');
    await new Promise((resolve) => setImmediate(resolve));
    isHeld = false;
    release();
    const seen = [await client.reply(), await client.reply(), await client.reply()];
    expect(seen[0] === 'old' || seen[0] === 'new').toBe(true);
    expect(seen.slice(1)).toEqual([invalidated('k'), invalidated('after')]);
  });

  it('makes its client read what it was told, or later', async () => {
    const sessions: number[] = [];
    const watched = instead(
      instead(origin, 'peek', () => undefined),
      'get',
      async (request, call) => {
        sessions.push(request.session.vector.size);
        return origin.get(request, call);
      },
    );
    const client = await tracking(watched);
    await put('k');
    await client.reply();
    await client.ask('GET', 'k');
    expect(sessions).toEqual([1]);
  });

  it('makes its client forget everything where the feed broke', async () => {
    let broken = new AbortController();
    const breaking = instead(origin, 'follow', async function* (open, messages, signal) {
      yield* origin.follow(open, messages, AbortSignal.any([signal, broken.signal]));
    });
    const client = await tracking(breaking, 'a/');
    const before = broken;
    broken = new AbortController();
    before.abort(new Error('the network'));
    expect(await client.reply()).toEqual({ push: ['invalidate', null] });
    expect(await client.reply()).toEqual({ push: ['invalidate', null] });
    await put('a/1');
    expect(await client.reply()).toEqual(invalidated('a/1'));
  });

  it('tells when a key expires that the client has read', async () => {
    const client = await tracking(origin);
    const mutations = [
      { kind: 'put', key: 'short', value: Buffer.from('v'), expiry: { kind: 'in', seconds: 1 } } as const,
    ];
    await origin.write({ namespace: 'config', session: emptySession, mutations }, aCall());
    expect(await client.reply()).toEqual(invalidated('short'));
    expect(await client.ask('GET', 'short')).toBe('v');
    expect(await client.reply()).toEqual(invalidated('short'));
    expect(await client.ask('GET', 'short')).toBeNull();
  });

  it.each([
    ['deleted', () => origin.remove('config', aCall())],
    ['renamed', () => origin.rename('config', 'before', aCall())],
  ])('goes on with the namespace that has the name once the one that had it is %s', async (_how, change) => {
    const client = await tracking(origin);
    await change();
    await origin.create('config', aCall());
    expect(await client.reply()).toEqual({ push: ['invalidate', null] });
    // What was read of the new one before it was followed is forgotten too.
    expect(await client.reply()).toEqual({ push: ['invalidate', null] });
    await put('k');
    expect(await client.reply()).toEqual(invalidated('k'));
  });

  it('follows no namespace that was deleted while it began', async () => {
    let begun = 0;
    const racing = instead(origin, 'follow', async function* (open, messages, signal) {
      if (begun++ === 0) {
        await origin.remove('config', aCall());
        await origin.create('config', aCall());
      }
      yield* origin.follow(open, messages, signal);
    });
    const client = await tracking(racing, '').catch(String);
    expect(begun).toBe(2);
    await put('k');
    expect(await (client as RespClient).reply()).toEqual(invalidated('k'));
  });

  it('ends with its client, also where that is gone before it has begun', async () => {
    let find = () => {};
    const isFound = new Promise<void>((resolve) => {
      find = resolve;
    });
    let [followed, ended] = [0, 0];
    const slow = instead(
      instead(origin, 'find', async (...asked) => {
        await isFound;
        return origin.find(...asked);
      }),
      'follow',
      async function* (...asked) {
        followed++;
        try {
          yield* origin.follow(...asked);
        } finally {
          ended++;
        }
      },
    );
    const served = await serveResp(slow);
    closing.push(() => served.close());
    const client = await served.connect();
    await client.ask('HELLO', 3);
    client.socket.write('CLIENT TRACKING ON BCAST\r\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
    client.socket.resetAndDestroy();
    await expect.poll(() => served.connections()).toBe(0);
    find();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(ended).toBe(followed);
  });

  it('keeps no prefix longer than a key', async () => {
    const served = await serveResp(origin);
    closing.push(() => served.close());
    const client = await served.connect();
    await client.ask('HELLO', 3);
    const on = (bytes: number) => client.ask('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'a'.repeat(bytes));
    expect(await on(513)).toMatch(/^Error: ERR a prefix has at most 512 bytes/);
    expect(await on(512)).toBe('+OK');
  });

  it('refuses what it does not do', async () => {
    const served = await serveResp(origin);
    closing.push(() => served.close());
    const client = await served.connect();
    const on = (...words: string[]) => client.ask('CLIENT', 'TRACKING', 'ON', ...words);
    expect(await on('BCAST')).toMatch(/needs RESP3/);
    await client.ask('HELLO', 3);
    expect(await on()).toMatch(/BCAST alone/);
    expect(await on('PREFIX', 'a')).toMatch(/PREFIX option requires BCAST/);
    expect(await on('BCAST', 'REDIRECT', '1')).toMatch(/does not support REDIRECT/);
    expect(await on('BCAST', 'PREFIX', 'ab', 'PREFIX', 'a')).toMatch(/must not overlap/);
    expect(await on('BCAST')).toBe('+OK');
    expect(await on('BCAST')).toMatch(/is on already/);
    await origin.create('other', aCall());
    expect(await client.ask('AUTH', 'other', 'x')).toMatch(/must be off before another namespace/);
    expect(await client.ask('RESET')).toBe('+RESET');
    await client.ask('HELLO', 3);
    expect(await on('BCAST')).toBe('+OK');
    await origin.remove('config', aCall());
    expect(await client.reply()).toEqual({ push: ['invalidate', null] });
  });
});
