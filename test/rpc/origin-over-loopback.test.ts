import { getEventListeners } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GetAnswer, PutMutation } from '../../src/model/key-value.ts';
import { limits } from '../../src/model/limits.ts';
import { emptySession } from '../../src/model/session.ts';
import { parseStamp } from '../../src/model/stamp.ts';
import type { Origin } from '../../src/origin/origin.ts';
import type { RemoteUpstream } from '../../src/rpc/client/remote-upstream.ts';
import { silentRpcObserver } from '../../src/rpc/observer.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { aCall, openOrigin, overLoopback } from './loopback.ts';

let origin: Origin;
let remote: RemoteUpstream;
/** The calls that the origin answered. */
const answered: string[] = [];
const closing: Array<() => Promise<void>> = [];

beforeAll(async () => {
  const opened = await openOrigin();
  closing.push(() => opened.close());
  origin = opened.origin;
  const observer = { ...silentRpcObserver, answered: (method: string) => void answered.push(method) };
  const loopback = await overLoopback(origin, { observer });
  closing.push(() => loopback.close());
  remote = loopback.remote;
  await remote.create('books', aCall());
});

afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

const common = { namespace: 'books', session: emptySession };

function put(key: string, value: string | Uint8Array, more: Partial<PutMutation> = {}) {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return remote.write({ ...common, mutations: [{ kind: 'put', key, value: bytes, ...more }] }, aCall());
}

function get(key: string): Promise<GetAnswer> {
  return remote.get({ ...common, key }, aCall());
}

function textOf({ record }: GetAnswer): string | undefined {
  return record?.kind === 'live' ? Buffer.from(record.value).toString() : undefined;
}

describe('an origin over gRPC', () => {
  it('answers a read exactly as the origin itself does', async () => {
    await put('whole', 'text', { metadata: '{"a":1}', expiry: { kind: 'at', seconds: 4_000_000_000 } });
    const here = await origin.get({ ...common, key: 'whole' }, aCall());
    const there = await get('whole');
    expect(there).toEqual({ ...here, record: { ...here.record, value: Buffer.from('text') } });
    const position = there.record?.position;
    expect(position && there.session.vector.get(position.log), 'to go on with').toBe(position?.sequence);
    expect(there.record).toMatchObject({ kind: 'live', metadata: '{"a":1}', expiresAt: 4_000_000_000 });
  });

  it('tells an absent key as an answer, and a deleted one with its version', async () => {
    expect((await get('never')).record).toBeUndefined();
    await put('gone', 'x');
    const { written } = await remote.write({ ...common, mutations: [{ kind: 'delete', key: 'gone' }] }, aCall());
    expect((await get('gone')).record).toMatchObject({ kind: 'tombstone', stamp: written[0]?.stamp });
  });

  it('tells in time, within the caller’s deadline, that a session’s writes are not here and whose they are', async () => {
    const [id] = origin.covered.keys();
    if (id === undefined) throw new Error('an origin covers its own founding');
    const session = { ...emptySession, vector: new Map([[id, 1_000_000]]) };
    const call = { ...aCall(), deadlineMs: systemClock.monotonicMs() + 5000 };
    await expect(remote.get({ namespace: 'books', key: 'k', session }, call)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: 'session-not-covered' },
      message: expect.stringContaining(id),
    });
  });

  it('digests a range exactly as the origin itself does, with its ends and hashes', async () => {
    for (const key of ['d1', 'd2', 'd3']) await put(key, 'v');
    const { id: namespace } = await origin.find('books');
    const whole = { namespace, prefix: 'd', second: 4_100_000_000, hashes: true };
    for (const request of [whole, { ...whole, after: 'd1', through: 'd2' }, { ...whole, hashes: false }]) {
      expect(await remote.digestRange(request, aCall())).toEqual(await origin.digestRange(request, aCall()));
    }
    const { hashes, through } = await remote.digestRange({ ...whole, after: 'd1', through: 'd2' }, aCall());
    expect([hashes.map(({ key }) => key), through]).toEqual([['d2'], 'd2']);
  });

  it('keeps an empty value apart from an absent key', async () => {
    await put('empty', '');
    expect((await get('empty')).record).toMatchObject({ kind: 'live' });
    expect(textOf(await get('empty'))).toBe('');
  });

  it.each([
    ['one byte less than fits into Get', limits.unaryMessageBytesMax - 64 * 1024 - 1],
    ['one byte more than fits into Get', limits.unaryMessageBytesMax - 64 * 1024 + 1],
    ['4 MiB', 4 * 1024 * 1024],
    ['25 MiB, the most a value may have', limits.valueBytesMax],
  ])('carries a value of %s', async (_, size) => {
    const value = Buffer.alloc(size, 'meridian');
    await put('large', value);
    const { record } = await get('large');
    if (record?.kind !== 'live') throw new Error('not found');
    expect(value.equals(record.value)).toBe(true);
  });

  it.each([
    ['a value of 25 MiB and a byte', 'k', Buffer.alloc(limits.valueBytesMax + 1), {}],
    ['a key of 513 bytes', 'k'.repeat(513), Buffer.from('v'), {}],
    ['an empty key', '', Buffer.from('v'), {}],
    ['metadata of 1025 bytes', 'k', Buffer.from('v'), { metadata: JSON.stringify('m'.repeat(1023)) }],
    ['a ttl of 0 seconds', 'k', Buffer.from('v'), { expiry: { kind: 'in', seconds: 0 } as const }],
    ['an expiry in the past', 'k', Buffer.from('v'), { expiry: { kind: 'at', seconds: 1 } as const }],
  ])('refuses %s', async (_, key, value, more) => {
    await expect(put(key, value, more)).rejects.toMatchObject({ name: 'MeridianError', code: 'INVALID_ARGUMENT' });
  });

  it('names the limit and what was seen with a refusal', async () => {
    await expect(get('k'.repeat(513))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { reason: 'key-too-long', limit: 512, seen: 513 },
    });
  });

  it('applies all mutations of a batch at positions that follow each other, or none', async () => {
    const mutations = ['b/1', 'b/2', 'b/3'].map((key) => ({ kind: 'put' as const, key, value: Buffer.from(key) }));
    const { written } = await remote.write({ ...common, mutations }, aCall());
    expect(written).toHaveLength(3);
    const failing = [
      { kind: 'put' as const, key: 'b/4', value: Buffer.from('x') },
      { kind: 'put' as const, key: 'b/1', value: Buffer.from('x'), condition: { kind: 'absent' as const } },
    ];
    await expect(remote.write({ ...common, mutations: failing }, aCall())).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      details: { versionFound: written[0]?.stamp },
    });
    expect((await get('b/4')).record).toBeUndefined();
    expect(textOf(await get('b/1'))).toBe('b/1');
  });

  it('decides a condition on the version found', async () => {
    const first = await put('conditional', 'one', { condition: { kind: 'absent' } });
    const version = first.written[0]?.stamp ?? parseStamp('f'.repeat(32));
    if (version === undefined) throw new Error('no version');
    await put('conditional', 'two', { condition: { kind: 'version', version } });
    await expect(put('conditional', 'three', { condition: { kind: 'version', version } })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
    expect(textOf(await get('conditional'))).toBe('two');
  });

  it('pages through a list with cursors', async () => {
    for (const key of ['l/a', 'l/b', 'l/ü', 'l/😀', 'l/\uffff']) await put(key, key, { metadata: '1' });
    const keys: string[] = [];
    let cursor: string | undefined;
    do {
      const request = { ...common, prefix: 'l/', limit: 2, ...(cursor === undefined ? {} : { cursor }) };
      const page = await remote.list(request, aCall());
      keys.push(...page.keys.map(({ key }) => key));
      expect(page.keys.every(({ metadata }) => metadata === '1')).toBe(true);
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(keys).toEqual(['l/a', 'l/b', 'l/ü', 'l/\uffff', 'l/😀']);
  });

  it('refuses a cursor that no list gave', async () => {
    await expect(remote.list({ ...common, prefix: '', limit: 2, cursor: 'x' }, aCall())).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { reason: 'bad-cursor' },
    });
  });

  it('answers many keys in the order asked for, also where they do not fit into one message', async () => {
    const mib = Buffer.alloc(1024 * 1024 * 1.5, 'x');
    const keys = ['m/1', 'm/2', 'm/3', 'm/4', 'm/none'];
    for (const key of keys.slice(0, 4)) await put(key, Buffer.concat([Buffer.from(key), mib]));
    const answers = await remote.getMany({ ...common, keys }, aCall());
    expect(answers.map((answer) => textOf(answer)?.slice(0, 3))).toEqual(['m/1', 'm/2', 'm/3', 'm/4', undefined]);
    expect(textOf(answers[3] ?? answers[0] ?? (await get('m/4')))).toHaveLength(mib.length + 3);
  });

  it('reads a hundred keys with large values among them in few calls, and takes its listeners back', async () => {
    const keys = Array.from({ length: 100 }, (_, i) => `h/${String(i).padStart(2, '0')}`);
    const large = new Set(['h/00', 'h/03', 'h/99']);
    for (const key of keys) await put(key, large.has(key) ? Buffer.alloc(5_000_000, key) : key);
    const stop = new AbortController();
    const warnings: Error[] = [];
    const warned = (warning: Error) => void warnings.push(warning);
    process.on('warning', warned);
    const before = answered.length;
    const answers = await remote.getMany({ ...common, keys }, aCall(stop.signal));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', warned);
    expect(answers.map((answer) => textOf(answer)?.slice(0, 4))).toEqual(keys);
    expect(answers.map((answer) => (textOf(answer)?.length ?? 0) > 4)).toEqual(keys.map((key) => large.has(key)));
    expect(answered.length - before).toBeLessThan(12);
    expect(warnings).toEqual([]);
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });

  it('refuses an unknown namespace as NOT_FOUND, and the registry as a namespace of keys', async () => {
    await expect(remote.get({ ...common, namespace: 'nobody', key: 'k' }, aCall())).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    const registry = { ...common, namespace: '0'.repeat(32) };
    await expect(remote.get({ ...registry, key: 'k' }, aCall())).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    const mutations = [{ kind: 'delete' as const, key: 'title/books' }];
    await expect(remote.write({ ...registry, mutations }, aCall())).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    });
  });

  it('creates, finds, renames and removes namespaces', async () => {
    const { namespace, session } = await remote.create('films', aCall());
    expect(session.vector.size).toBe(1);
    await expect(remote.create('films', aCall())).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    expect(await remote.find(namespace.id, aCall())).toEqual(namespace);
    await remote.rename('films', 'movies', aCall());
    expect((await remote.namespaces(aCall())).map(({ title }) => title)).toEqual(['books', 'movies']);
    await remote.remove('movies', aCall());
    await expect(remote.find('movies', aCall())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('tells status and members as the origin itself does', async () => {
    const [here, there] = [await origin.status(aCall()), await remote.status(aCall())];
    // Its storage a node tells of itself alone.
    expect({ ...there, uptimeMs: 0 }).toEqual({ ...here, uptimeMs: 0, storage: undefined });
    expect(await remote.members(aCall())).toEqual(await origin.members(aCall()));
  });

  it('counts no client that watches among the members', async () => {
    const ending = new AbortController();
    const watching = remote.watch({ namespace: 'books', prefix: '', fromStart: false }, ending.signal);
    await watching.next();
    expect((await origin.status(aCall())).followers).toMatchObject([{ scope: 'watch' }]);
    expect((await origin.members(aCall())).map(({ role }) => role)).toEqual(['origin']);
    ending.abort();
    await watching.next().catch(() => {});
  });
});
