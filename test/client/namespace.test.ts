import { getEventListeners } from 'node:events';
import { describe, expect, test, vi } from 'vitest';
import { isMeridianError } from '../../src/model/errors.ts';
import { fakeCluster } from './fake-cluster.ts';
import { fakeOrigin } from './fake-node.ts';

const bytes = (value: ArrayBuffer | null) => Buffer.from(value ?? new ArrayBuffer(0)).toString('hex');

describe('values', () => {
  test('a value is read as text, json, bytes or stream', async () => {
    const flags = fakeCluster().cluster.namespace('flags');
    await flags.put('k', '{"on":true}');
    expect(await flags.get('k')).toBe('{"on":true}');
    expect(await flags.get('k', 'text')).toBe('{"on":true}');
    expect(await flags.get<{ on: boolean }>('k', 'json')).toEqual({ on: true });
    expect(await flags.get('k', { type: 'json' })).toEqual({ on: true });
    expect(bytes(await flags.get('k', 'arrayBuffer'))).toBe(Buffer.from('{"on":true}').toString('hex'));
    expect(await new Response(await flags.get('k', 'stream')).text()).toBe('{"on":true}');
  });

  test('a value is put from text, buffers, views and streams', async () => {
    const flags = fakeCluster().cluster.namespace('flags');
    const view = new Uint16Array([0x4142, 0x4344]).subarray(1);
    await flags.put('buffer', Uint8Array.of(0, 255).buffer);
    await flags.put('view', view);
    await flags.put('stream', new Blob(['a', 'b']).stream());
    await flags.put('empty', '');
    expect(bytes(await flags.get('buffer', 'arrayBuffer'))).toBe('00ff');
    expect(bytes(await flags.get('view', 'arrayBuffer'))).toBe('4443');
    expect(await flags.get('stream')).toBe('ab');
    expect(await flags.get('empty')).toBe('');
  });

  test('a stream that stands still ends with its call, and is told so', async () => {
    const told: unknown[] = [];
    const still = () => new ReadableStream<Uint8Array>({ cancel: (why) => void told.push(why) });
    const { cluster, node } = fakeCluster();
    const flags = cluster.namespace('flags');
    const aborting = new AbortController();
    const aborted = flags.put('k', still(), { signal: aborting.signal });
    aborting.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'CANCELLED' });
    // Shorter than what the clock lets pass at once.
    await expect(flags.put('k', still(), { timeoutMs: 10 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(told).toEqual([
      expect.objectContaining({ code: 'CANCELLED' }),
      expect.objectContaining({ code: 'DEADLINE_EXCEEDED' }),
    ]);
    expect(node.writes).toEqual([]);
  });

  test('anything else is a TypeError, and a stream beyond the limit is given up', async () => {
    const flags = fakeCluster().cluster.namespace('flags');
    await expect(flags.put('k', {} as unknown as string)).rejects.toThrow(TypeError);
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
      cancel: () => {
        cancelled = true;
      },
    });
    await expect(flags.put('k', endless)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'a value has at most 26214400 bytes; this one has more',
      details: { reason: 'value-too-large', limit: 26_214_400, seen: 25 * 1024 * 1024 + 1024 * 1024 },
    });
    expect(cancelled).toBe(true);
  });

  test('a value whose bytes are taken away before it is sent is refused, and never written empty', async () => {
    const { cluster, node } = fakeCluster();
    const flags = cluster.namespace('flags');
    const bytes = new ArrayBuffer(8);
    const view = new Uint8Array(8).fill(7);
    const writing = [flags.put('buffer', bytes), flags.put('view', view), flags.put('empty', new Uint8Array(0))];
    structuredClone([bytes, view.buffer], { transfer: [bytes, view.buffer] });
    const [buffer, viewed, empty] = await Promise.allSettled(writing);
    const refused = { status: 'rejected', reason: { code: 'INVALID_ARGUMENT', details: { reason: 'value-detached' } } };
    expect([buffer, viewed]).toMatchObject([refused, refused]);
    expect(empty?.status).toBe('fulfilled');
    expect(node.writes.map(({ mutations }) => mutations[0]?.key)).toEqual(['empty']);
  });

  test('a stream that is refused is given up, and its failure told whatever its source makes of that', async () => {
    const flags = fakeCluster().cluster.namespace('flags');
    let cancelled = 0;
    const streamOf = (chunk: unknown, cancel: () => Promise<void>) =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(chunk as Uint8Array),
        cancel: () => {
          cancelled++;
          return cancel();
        },
      });
    const never = () => new Promise<void>(() => {});
    const fails = () => Promise.reject(new Error('the source is broken'));
    for (const cancel of [never, fails]) {
      await expect(flags.put('k', streamOf(new Uint8Array(2 ** 24), cancel))).rejects.toMatchObject({
        details: { reason: 'value-too-large' },
      });
      await expect(flags.put('k', streamOf({}, cancel))).rejects.toThrow(TypeError);
      await expect(flags.put('k', streamOf('\ud800x', cancel))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    expect(cancelled).toBe(6);
  });

  test('a stream of texts may part them within a character', async () => {
    const flags = fakeCluster().cluster.namespace('flags');
    const streamOf = (...chunks: Array<string | Uint8Array>) =>
      new ReadableStream<string | Uint8Array>({
        start: (controller) => {
          for (const chunk of chunks) controller.enqueue(chunk);
          controller.close();
        },
      });
    await flags.put('k', streamOf('a\ud83d', '', '\ude00', 'b\ud83d', '\ude00'));
    expect(await flags.get('k')).toBe('a😀b😀');
    for (const half of [streamOf('a\ud83d'), streamOf('\ud83d', Buffer.from('x')), streamOf('\ud83d', 'x\ude00')]) {
      await expect(flags.put('k', half)).rejects.toMatchObject({ details: { reason: 'not-utf8' } });
    }
  });

  test('an absent key is null, and so is a deleted one', async () => {
    const flags = fakeCluster().cluster.namespace('flags');
    expect(await flags.get('k', 'json')).toBeNull();
    await flags.put('k', 'v');
    await flags.delete('k');
    expect(await flags.getWithMetadata('k')).toMatchObject({ value: null, metadata: null, version: null });
  });

  test('several keys are a map in their order, as text or json alone', async () => {
    const flags = fakeCluster().cluster.namespace('flags');
    await flags.put('b', '2', { metadata: { by: 'ops' } });
    expect([...(await flags.get(['a', 'b'], 'json'))]).toEqual([
      ['a', null],
      ['b', 2],
    ]);
    const answers = await flags.getWithMetadata(['b']);
    expect(answers.get('b')).toMatchObject({ value: '2', metadata: { by: 'ops' } });
    const asBuffer = { type: 'arrayBuffer' } as unknown as { type: 'text' };
    await expect(flags.get(['a'], asBuffer)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    for (const count of [0, 101]) {
      await expect(flags.get(Array(count).fill('k'))).rejects.toMatchObject({ details: { seen: count } });
    }
  });

  test('an answer tells version, source and proven age in seconds', async () => {
    const flags = fakeCluster().cluster.namespace('flags');
    const { written } = await flags.write([{ kind: 'put', key: 'k', value: 'v', expiration: 77 }]);
    expect(await flags.getWithMetadata('k')).toEqual({
      value: 'v',
      metadata: null,
      metadataText: null,
      version: written[0]?.version,
      expiration: 77,
      source: 'cache',
      staleness: 0.12,
      past: false,
      responder: 'fake',
      cacheStatus: 'HIT',
    });
  });

  test('an answer that may be older than what was asked for is STALE, of one key, of many and of a list', async () => {
    const { cluster, node } = fakeCluster();
    const flags = cluster.namespace('flags');
    await flags.put('k', 'v');
    node.past = true;
    expect(await flags.getWithMetadata('k')).toMatchObject({ past: true, cacheStatus: 'STALE' });
    expect((await flags.getWithMetadata(['k'])).get('k')).toMatchObject({ past: true, cacheStatus: 'STALE' });
    expect(await flags.list()).toMatchObject({ past: true, cacheStatus: 'STALE' });
  });
});

describe('requests', () => {
  test('what a reader accepts is sent in milliseconds, and cacheTtl stands in for it', async () => {
    const { cluster, node } = fakeCluster();
    const flags = cluster.namespace('flags');
    await flags.get('k', { maxStaleness: 0.5, atOrigin: true });
    await flags.get('k', { type: 'text', cacheTtl: 60 });
    await flags.get('k');
    expect(node.gets.map(({ maxStalenessMs, atOrigin }) => [maxStalenessMs, atOrigin])).toEqual([
      [500, true],
      [60_000, undefined],
      [undefined, undefined],
    ]);
    await expect(flags.get('k', { maxStaleness: -1 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test.each(['most', 'ALL', 5, ''])(
    'a durability of %j is refused, and not taken for the node’s own',
    async (level) => {
      const { cluster, node } = fakeCluster();
      const durability = level as 'all';
      const flags = cluster.namespace('flags');
      const refused = { code: 'INVALID_ARGUMENT', details: { reason: 'bad-durability' } };
      await expect(flags.put('k', 'v', { durability })).rejects.toMatchObject(refused);
      await expect(flags.delete('k', { durability })).rejects.toMatchObject(refused);
      await expect(flags.write([{ kind: 'delete', key: 'k' }], { durability })).rejects.toMatchObject(refused);
      expect(node.writes).toEqual([]);
    },
  );

  test('a timeout that is no number is refused, and a signal that is null is none', async () => {
    const flags = fakeCluster().cluster.namespace('flags');
    for (const timeoutMs of ['500', Number.NaN, 0, -1]) {
      const options = { timeoutMs: timeoutMs as number };
      await expect(flags.getWithMetadata('k', options), `${timeoutMs}`).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { reason: 'bad-timeout' },
      });
    }
    const signal = null as unknown as AbortSignal;
    await flags.put('k', 'v', { signal });
    expect(await flags.getWithMetadata('k', { signal })).toMatchObject({ value: 'v' });
  });

  test('a put carries metadata, the ttl before the expiration, and its condition', async () => {
    const { cluster, node } = fakeCluster();
    const flags = cluster.namespace('flags');
    await flags.put('k', 'v', { expiration: 9, expirationTtl: 60, metadata: [1], ifAbsent: true });
    expect(node.writes[0]?.mutations[0]).toMatchObject({
      metadata: '[1]',
      expiry: { kind: 'in', seconds: 60 },
      condition: { kind: 'absent' },
    });
    await expect(flags.put('k', 'v', { ifAbsent: true })).rejects.toSatisfy(
      (error) => isMeridianError(error, 'FAILED_PRECONDITION') && error.details.versionFound !== undefined,
    );
    for (const expirationTtl of [0, -1, 0.9, Number.NaN]) {
      await expect(flags.put('k', 'v', { expirationTtl })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    await expect(flags.put('k', 'v', { ifVersion: 'latest' })).rejects.toThrow('32 lower-case hex digits');
  });

  test('a condition that is none is refused: the write would be made without', async () => {
    const { cluster, node } = fakeCluster();
    const flags = cluster.namespace('flags');
    for (const ifAbsent of [1, 'true', 'false', {}] as unknown as boolean[]) {
      const refused = { code: 'INVALID_ARGUMENT', details: { reason: 'bad-condition' } };
      await expect(flags.put('k', 'v', { ifAbsent })).rejects.toMatchObject(refused);
      await expect(flags.delete('k', { ifAbsent })).rejects.toMatchObject(refused);
    }
    expect(node.writes).toEqual([]);
    for (const none of [false, null] as unknown as false[]) await flags.put('k', 'v', { ifAbsent: none });
    expect(node.writes.map(({ mutations }) => mutations[0]?.condition)).toEqual([undefined, undefined]);
  });

  test('every call has a deadline, its own or the handle’s', async () => {
    const { cluster, node } = fakeCluster();
    await cluster.namespace('flags').get('k');
    await cluster.namespace('flags').get('k', { timeoutMs: 50 });
    expect(node.calls.map(({ deadlineMs }) => deadlineMs)).toEqual([65_000, 5050]);
  });

  test('a signal that lives on is left by each call as it was', async () => {
    const { cluster } = fakeCluster();
    const flags = cluster.namespace('flags');
    const { signal } = new AbortController();
    // What it makes stays with its sources for as long as they live.
    const any = vi.spyOn(AbortSignal, 'any');
    await flags.put('k', 'v');
    await Promise.all([flags.get('k', { signal }), flags.list({ signal }), cluster.status({ signal })]);
    expect(any).not.toHaveBeenCalled();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    any.mockRestore();
  });

  test('an aborted signal cancels, and so does a closed handle', async () => {
    const { cluster, node } = fakeCluster();
    const flags = cluster.namespace('flags');
    await expect(flags.get('k', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' });
    cluster.close();
    cluster.close();
    await expect(flags.get('k')).rejects.toThrow('the client is closed');
    expect(node.closed).toBe(true);
    expect(node.calls).toEqual([]);
  });
});

describe('lists', () => {
  test('a page has names, and a cursor exactly while it is incomplete', async () => {
    const flags = fakeCluster().cluster.namespace('flags');
    for (const key of ['b', 'a', 'c']) await flags.put(key, key, { metadata: { key } });
    const first = await flags.list<{ key: string }>({ limit: 2 });
    expect(first.keys.map(({ name, metadata }) => [name, metadata?.key])).toEqual([
      ['a', 'a'],
      ['b', 'b'],
    ]);
    if (first.list_complete) throw new Error('there is more');
    const second = await flags.list({ limit: 2, cursor: first.cursor });
    expect(second.list_complete).toBe(true);
    expect('cursor' in second).toBe(false);
  });

  test('keys and entries cover all pages', async () => {
    const { cluster } = fakeCluster();
    const flags = cluster.namespace('flags');
    const names = Array.from({ length: 2345 }, (_, i) => `k${String(i).padStart(4, '0')}`);
    await flags.write(names.map((key) => ({ kind: 'put', key, value: `v-${key}` }) as const));
    const seen: string[] = [];
    for await (const { name } of flags.keys()) seen.push(name);
    expect(seen).toEqual(names);
    const values: string[] = [];
    for await (const { value } of flags.entries({ prefix: 'k1' })) values.push(Buffer.from(value).toString());
    expect(values).toEqual(names.filter((name) => name.startsWith('k1')).map((name) => `v-${name}`));
  });

  test('a damaged record is named by a list, and ends entries unless they are to tell of it', async () => {
    const { cluster, nodes } = fakeCluster();
    const flags = cluster.namespace('flags');
    for (const key of ['a', 'b', 'c']) await flags.put(key, key);
    for (const node of nodes) node.damaged.add('b');
    const { keys } = await flags.list();
    expect(keys.map(({ name, damaged, version }) => [name, damaged, version === ''])).toEqual([
      ['a', undefined, false],
      ['b', true, true],
      ['c', undefined, false],
    ]);
    const read = async (onDamaged?: (name: string) => void) => {
      const names: string[] = [];
      for await (const { name } of flags.entries(onDamaged === undefined ? {} : { onDamaged })) names.push(name);
      return names;
    };
    await expect(read()).rejects.toMatchObject({ code: 'DATA_LOSS' });
    const told: string[] = [];
    expect([await read((name) => told.push(name)), told]).toEqual([['a', 'c'], ['b']]);
  });
});

test('a cluster handle makes, lists, renames and deletes namespaces', async () => {
  const { cluster } = fakeCluster();
  expect(await cluster.namespaces.create('new')).toMatchObject({ title: 'new', home: fakeOrigin });
  expect((await cluster.namespaces.list()).map(({ title }) => title)).toEqual(['flags']);
  expect((await cluster.namespaces.rename('new', 'newer')).title).toBe('newer');
  await expect(cluster.namespaces.create('taken')).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  expect((await cluster.namespaces.delete('new')).title).toBe('new');
});
