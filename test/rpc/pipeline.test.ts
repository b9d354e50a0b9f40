import { type ClientDuplexStream, Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import type { Call } from '../../src/model/call.ts';
import { MeridianError } from '../../src/model/errors.ts';
import type { GetAnswer, GetRequest, WriteAnswer, WriteRequest } from '../../src/model/key-value.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Connection } from '../../src/rpc/client/connection.ts';
import { methods } from '../../src/rpc/client/methods.ts';
import { RemoteUpstream } from '../../src/rpc/client/remote-upstream.ts';
import { measured } from '../../src/rpc/codec/mutation-fields.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { aCall, answerOf, cuttable, overLoopback, roomsOf, upstreamWith } from './loopback.ts';
import { asked, closing, pipelineTo, written } from './pipeline-driver.ts';

const put = (key: string, value = Buffer.from('v')): WriteRequest => ({
  namespace: 'n',
  session: emptySession,
  mutations: [{ kind: 'put', key, value }],
});

/** A stream to it as another client would have one. */
function rawStream(connection: Connection): ClientDuplexStream<object, { answers: Array<Record<string, never>> }> {
  const { path, requestSerialize, responseDeserialize } = methods.pipeline;
  const stream = connection.start((client) =>
    client.makeBidiStreamRequest<object, never>(
      path,
      requestSerialize,
      (bytes) => responseDeserialize(bytes) as never,
      new Metadata(),
      {},
    ),
  );
  closing.push(() => stream.cancel());
  stream.on('error', () => {});
  return stream;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a node that stops', () => {
  it('answers what it has begun, begins nothing more, and says so', async () => {
    let answer = (): void => {};
    const begun: string[] = [];
    const { pipeline, server } = await pipelineTo({
      write: async ({ mutations }) => {
        begun.push(mutations[0]?.key ?? '');
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
        return written;
      },
    });
    const write = (key: string) =>
      pipeline.write(put(key), measured({ kind: 'put', key, value: Buffer.from('v') }), aCall());
    const first = write('first');
    await expect.poll(() => begun).toEqual(['first']);
    const stopped = server.stop(20_000);
    const late = write('late').catch((error: unknown) => error);
    await turn();
    answer();
    expect(await first).toMatchObject({ durability: 'local' });
    await stopped;
    const { details } = (await late) as MeridianError;
    expect(['drained', 'not-connected']).toContain(details.reason);
    expect(begun).toEqual(['first']);
  });
});

describe('operations of one turn', () => {
  it('are what many keys are read by, each of them once', async () => {
    const asks: string[] = [];
    const { address } = await pipelineTo({
      peek: ({ key }) => {
        asks.push(key);
        return answerOf(key);
      },
    });
    const remote = new RemoteUpstream({ address, clock: systemClock, pipelined: true });
    closing.push(() => remote.close());
    const keys = ['a', 'b', 'a', 'c'];
    const answers = await remote.getMany({ ...asked(''), keys }, aCall());
    expect(answers.map(({ record }) => record?.key)).toEqual(keys);
    expect(asks).toEqual(['a', 'b', 'c']);
  });

  it('travel in one message, and their hits in few messages back, those of a slice in one', async () => {
    let messagesBack = 0;
    const { pipeline, connection, server } = await pipelineTo({ peek: ({ key }) => answerOf(key) });
    await pipeline.get(asked('first'), aCall());
    const before = { sent: pipeline.messages, encodes: server.bodies.encodes };
    const duplex = connection.duplex.bind(connection);
    expect(duplex).toBeDefined();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => pipeline.get(asked(`k${i}`), aCall())));
    expect(answers.map(({ record }) => record?.key)).toEqual(Array.from({ length: 100 }, (_, i) => `k${i}`));
    expect(pipeline.messages - before.sent).toBe(1);
    expect(server.bodies.encodes - before.encodes).toBe(100);
    const raw = rawStream(connection);
    const got = new Promise<number>((resolve) => {
      let count = 0;
      raw.on('data', ({ answers: some }) => {
        messagesBack++;
        count += some.length;
        if (count === 100) resolve(count);
      });
    });
    raw.write({
      terms: [{ namespace: 'n' }],
      operations: Array.from({ length: 100 }, (_, id) => ({ id, key: `k${id}`, get: {} })),
    });
    expect(await got).toBe(100);
    expect(messagesBack).toBe(Math.ceil(100 / 32));
  });

  it('encode a record once, however often it is read', async () => {
    const hit = answerOf('k');
    const { pipeline, server } = await pipelineTo({ peek: () => hit });
    for (let i = 0; i < 10; i++) await pipeline.get(asked('k'), aCall());
    expect(server.bodies.encodes).toBe(1);
  });

  it('are several messages where they are many, with a bound on those that are not answered', async () => {
    const { pipeline } = await pipelineTo({ peek: ({ key }) => answerOf(key) });
    const answers = await Promise.all(Array.from({ length: 3000 }, (_, i) => pipeline.get(asked(`k${i}`), aCall())));
    expect(answers.map(({ record }) => record?.key)).toEqual(Array.from({ length: 3000 }, (_, i) => `k${i}`));
    expect(pipeline.messages).toBeLessThanOrEqual(Math.ceil(3000 / 32));
  });
});

describe('answers', () => {
  it('come as they are ready: a slow load holds back no hit, and no write', async () => {
    let loaded = (_: GetAnswer): void => {};
    const { pipeline } = await pipelineTo({
      peek: ({ key }) => (key === 'slow' ? undefined : answerOf(key)),
      get: () => new Promise<GetAnswer>((resolve) => (loaded = resolve)),
      write: async () => written,
    });
    const slow = pipeline.get(asked('slow'), aCall());
    const [hit, done] = await Promise.all([
      pipeline.get(asked('hit'), aCall()),
      pipeline.write(put('p'), measured({ kind: 'put', key: 'p', value: Buffer.from('v') }), aCall()),
    ]);
    expect(hit.record?.key).toBe('hit');
    expect(done).toEqual(written);
    loaded(answerOf('slow'));
    expect((await slow).record?.key).toBe('slow');
  });

  it('carry the error of one operation, with its details, and fail no other', async () => {
    const failed = new MeridianError('FAILED_PRECONDITION', 'not met', {
      reason: 'condition',
      versionFound: 'b'.repeat(32),
      limit: 3,
      seen: 4,
      retryAfterMs: 20,
    });
    const { pipeline } = await pipelineTo({
      peek: ({ key }) => (key === 'bad' ? undefined : answerOf(key)),
      get: () => Promise.reject(failed),
    });
    const [bad, good] = await Promise.allSettled([
      pipeline.get(asked('bad'), aCall()),
      pipeline.get(asked('good'), aCall()),
    ]);
    expect(bad).toMatchObject({ reason: { code: failed.code, message: failed.message, details: failed.details } });
    expect(good).toMatchObject({ value: { record: { key: 'good' } } });
  });

  it('say so of a value that is too large for a message, which the client then reads in pieces', async () => {
    const value = Buffer.alloc(5 * 1024 * 1024, 'x');
    const { address } = await pipelineTo({ get: async ({ key }) => answerOf(key, value) });
    const remote = new RemoteUpstream({ address, clock: systemClock, pipelined: true });
    closing.push(() => remote.close());
    const { record } = await remote.get(asked('large'), aCall());
    expect(record?.kind === 'live' && value.equals(record.value)).toBe(true);
  });

  it('bring large values, each in the room that large answers have', async () => {
    const rooms = roomsOf(8 * 1024 * 1024);
    const value = Buffer.alloc(1024 * 1024, 'x');
    const { pipeline } = await pipelineTo({ get: async ({ key }) => answerOf(key, value) }, rooms);
    const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => pipeline.get(asked(`k${i}`), aCall())));
    for (const { record } of answers) expect(record?.kind === 'live' && value.equals(record.value)).toBe(true);
    while (rooms.answers.bytesLeaving > 0) await turn();
  });
});

describe('an operation', () => {
  it('is given up with its signal, and the node hears of it', async () => {
    let heard: Call | undefined;
    const { pipeline } = await pipelineTo({
      get: (_, call) =>
        new Promise((_resolve, reject) => {
          heard = call;
          call.signal.addEventListener('abort', () => reject(call.signal.reason));
        }),
    });
    const controller = new AbortController();
    const getting = pipeline.get(asked('k'), aCall(controller.signal));
    while (heard === undefined) await turn();
    controller.abort();
    await expect(getting).rejects.toMatchObject({ code: 'CANCELLED' });
    while (!heard.signal.aborted) await turn();
  });

  it('ends with its deadline on both sides, whatever it waits for', async () => {
    const { pipeline, connection } = await pipelineTo({ get: () => new Promise(() => {}) });
    const call = { deadlineMs: systemClock.monotonicMs() + 30, signal: new AbortController().signal };
    await expect(pipeline.get(asked('k'), call)).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    const raw = rawStream(connection);
    const answered = new Promise((resolve) => raw.once('data', resolve));
    raw.write({ terms: [{ namespace: 'n', timeoutMs: 20 }], operations: [{ id: 9, key: 'k', get: {} }] });
    expect(await answered).toMatchObject({
      answers: [{ id: 9, error: { code: status.DEADLINE_EXCEEDED, detail: { code: 'DEADLINE_EXCEEDED' } } }],
    });
  });

  it('carries its session, wishes and deadline to the node', async () => {
    const seen: Array<[GetRequest, number]> = [];
    const { pipeline } = await pipelineTo({
      get: async (request, call) => {
        // Whoever passes a call on makes another one of it.
        expect({ ...call }.signal.aborted).toBe(false);
        seen.push([request, call.deadlineMs - systemClock.monotonicMs()]);
        return answerOf(request.key);
      },
    });
    const session = { vector: new Map([['1'.repeat(16) as never, 7]]), stamp: 'c'.repeat(32) as never };
    const request = { namespace: 'n', key: 'k', session, maxStalenessMs: 250, atOrigin: true };
    await pipeline.get(request, { deadlineMs: systemClock.monotonicMs() + 5000, signal: new AbortController().signal });
    expect(seen[0]?.[0]).toEqual(request);
    expect(seen[0]?.[1]).toBeGreaterThan(0);
    expect(seen[0]?.[1]).toBeLessThanOrEqual(5000);
  });
});

describe('a message that breaks the rules', () => {
  for (const [what, message, code] of [
    [
      'has more operations than one may',
      { terms: [{}], operations: Array.from({ length: 1025 }, (_, id) => ({ id, key: 'k', get: {} })) },
      status.INVALID_ARGUMENT,
    ],
    ['names terms that it has not', { operations: [{ id: 1, terms: 3, key: 'k', get: {} }] }, status.INVALID_ARGUMENT],
    [
      'uses an id that is under way',
      { terms: [{}], operations: [1, 1].map((id) => ({ id, key: 'k', get: {} })) },
      status.INVALID_ARGUMENT,
    ],
  ] as const) {
    it(`${what}: the stream ends`, async () => {
      const { connection } = await pipelineTo({ get: () => new Promise(() => {}) });
      const raw = rawStream(connection);
      const ended = new Promise<ServiceError>((resolve) => raw.on('error', (error) => resolve(error as ServiceError)));
      raw.resume().write(message);
      expect((await ended).code).toBe(code);
    });
  }

  it('is refused alone where only an operation does: an unknown kind, a bad version, the registry', async () => {
    const { connection } = await pipelineTo({ peek: ({ key }) => (key === 'k' ? answerOf(key) : undefined) });
    const raw = rawStream(connection);
    const answers: unknown[] = [];
    raw.on('data', ({ answers: some }) => answers.push(...some));
    raw.write({
      terms: [{ namespace: 'n' }, { namespace: registryNamespace }, { namespace: 'n', timeoutMs: -1 }],
      operations: [
        { id: 1, key: 'none' },
        { id: 2, key: 'p', put: { value: Buffer.from('v') }, condition: { ifVersion: 'x' } },
        { id: 3, terms: 1, key: 'r', get: {} },
        { id: 4, terms: 2, key: 'k', get: {} },
        { id: 5, key: 'k', get: {} },
      ],
    });
    while (answers.length < 5) await turn();
    const codes = new Map(
      (answers as Array<{ id: number; error?: { code: number } }>).map(({ id, error }) => [id, error?.code]),
    );
    expect(codes.get(5)).toBeUndefined();
    expect([1, 2, 4].map((id) => codes.get(id))).toEqual(Array(3).fill(status.INVALID_ARGUMENT));
    expect(codes.get(3)).toBe(status.PERMISSION_DENIED);
  });
});

describe('a client that reads nothing', () => {
  it('is answered no further than its stream may hold, and whole once it reads', async () => {
    const value = Buffer.alloc(32 * 1024, 'x');
    let peeks = 0;
    const { connection } = await pipelineTo({
      peek: ({ key }) => {
        peeks++;
        return answerOf(key, value);
      },
    });
    const raw = rawStream(connection);
    const ids = new Set<number>();
    // The library stops to read once it has begun to.
    raw.once('data', ({ answers }) => {
      raw.pause();
      for (const { id } of answers) ids.add(id as unknown as number);
    });
    const count = 4 * 1024;
    for (let first = 0; first < count; first += 512) {
      const operations = Array.from({ length: 512 }, (_, i) => ({ id: first + i, key: 'k', get: {} }));
      raw.write({ terms: [{ namespace: 'n' }], operations });
    }
    let before = -1;
    while (peeks !== before || peeks === 0) {
      before = peeks;
      await new Promise((resolve) => systemClock.timer(100, () => resolve(undefined)));
    }
    // HTTP/2's windows, and 1 MiB of the stream's own.
    expect(peeks * value.length).toBeLessThan(24 * 1024 * 1024);
    const all = new Promise<void>((resolve) => {
      raw.on('data', ({ answers }) => {
        for (const { id } of answers) ids.add(id as unknown as number);
        if (ids.size === count) resolve();
      });
    });
    raw.resume();
    await all;
  });
});

describe('large requests', () => {
  it('take room until their writes are answered, and wait for it', async () => {
    const rooms = roomsOf(1024 * 1024);
    const waiting: Array<(answer: WriteAnswer) => void> = [];
    const { connection } = await pipelineTo({ write: () => new Promise((resolve) => waiting.push(resolve)) }, rooms);
    const raw = rawStream(connection);
    const value = Buffer.alloc(400 * 1024, 'x');
    for (let id = 1; id <= 3; id++)
      raw.write({ terms: [{ namespace: 'n' }], operations: [{ id, key: 'k', put: { value } }] });
    const answered: number[] = [];
    raw.on('data', ({ answers }) => answered.push(...answers.map(({ id }: { readonly id?: number }) => id ?? 0)));
    while (waiting.length < 1) await turn();
    for (let i = 0; i < 50; i++) await turn();
    // One connection has half of the room: a second message has to wait for the first one's write.
    expect(waiting).toHaveLength(1);
    for (let id = 1; id <= 3; id++) {
      while (waiting.length < id) await turn();
      waiting[id - 1]?.(written);
      while (answered.length < id) await turn();
    }
    expect(rooms.uploads.values.bytesInUse).toBe(0);
  });

  it('that are late give back what they hold', async () => {
    const rooms = roomsOf(8 * 1024 * 1024);
    const answers: Array<(answer: GetAnswer) => void> = [];
    const { connection } = await pipelineTo({ get: () => new Promise((resolve) => answers.push(resolve)) }, rooms);
    const raw = rawStream(connection);
    const late = new Promise((resolve) => raw.once('data', resolve));
    raw.write({ terms: [{ namespace: 'n', timeoutMs: 20 }], operations: [{ id: 1, key: 'k', get: {} }] });
    expect(await late).toMatchObject({ answers: [{ error: { code: status.DEADLINE_EXCEEDED } }] });
    answers[0]?.(answerOf('k', Buffer.alloc(1024 * 1024)));
    for (let i = 0; i < 10; i++) await turn();
    expect(rooms.answers.bytesLeaving).toBe(0);
  });
});

describe('a stream that breaks', () => {
  it('fails what was sent and not answered: a read is asked once more by itself, a write is not', async () => {
    const seen: string[] = [];
    const { address, server } = await pipelineTo({
      get: ({ key }) => {
        seen.push(`get ${key}`);
        return seen.length <= 2 ? new Promise(() => {}) : Promise.resolve(answerOf(key));
      },
      write: ({ mutations }) => {
        seen.push(`put ${mutations[0]?.key}`);
        return new Promise(() => {});
      },
    });
    const proxy = await cuttable(address);
    closing.push(proxy.close);
    const remote = new RemoteUpstream({ address: proxy.address, clock: systemClock, pipelined: true });
    closing.push(() => remote.close());
    const reading = remote.get(asked('k'), aCall());
    const writing = remote.write(put('p'), aCall());
    writing.catch(() => {});
    while (seen.length < 2) await turn();
    proxy.cut();
    expect((await reading).record?.key).toBe('k');
    await expect(writing).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(seen.filter((line) => line === 'put p')).toHaveLength(1);
    expect(server).toBeDefined();
  });

  it('fails what waits for one where the token cannot be had, and ends no process', async () => {
    const { address, close } = await overLoopback(upstreamWith({ get: async ({ key }) => answerOf(key) }));
    let token: () => string = () => {
      throw new Error('the file of the token is gone');
    };
    const client = new RemoteUpstream({ address, clock: systemClock, pipelined: true, credential: () => token() });
    closing.push(close, () => client.close());
    const both = await Promise.allSettled([client.get(asked('a'), aCall()), client.write(put('b'), aCall())]);
    expect(both.map((each) => each.status === 'rejected' && String(each.reason))).toEqual([
      'Error: the file of the token is gone',
      'Error: the file of the token is gone',
    ]);
    token = () => 'a-token-that-is-there';
    expect((await client.get(asked('a'), aCall())).record?.kind).toBe('live');
  });

  it('is told that it ends where the node stops, and goes on over another one', async () => {
    const { pipeline, server } = await pipelineTo({ peek: () => undefined, get: () => new Promise(() => {}) });
    const waiting = pipeline.get(asked('k'), aCall());
    waiting.catch(() => {});
    await turn();
    const stopped = server.stop(200);
    await expect(waiting).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await stopped;
  });
});

describe('a node without Pipeline', () => {
  it('is asked by single calls from then on', async () => {
    const server = new Server();
    let calls = 0;
    server.addService({ Get: methods.get, Pipeline: { ...methods.pipeline, path: '/meridian.v1.KV/Other' } } as never, {
      Get: (_call: unknown, callback: (error: null, answer: object) => void) => {
        calls++;
        callback(null, {
          found: true,
          value: Buffer.from('v'),
          version: 'a'.repeat(32),
          position: { log: '1'.repeat(16), sequence: 1 },
          provenance: { source: 'ORIGIN', namespaceId: 'a'.repeat(32) },
        });
      },
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    const remote = new RemoteUpstream({ address: `127.0.0.1:${port}`, clock: systemClock, pipelined: true });
    closing.push(
      () => server.forceShutdown(),
      () => remote.close(),
    );
    const answers = await Promise.all([remote.get(asked('a'), aCall()), remote.get(asked('b'), aCall())]);
    expect(answers.map(({ record }) => record?.kind)).toEqual(['live', 'live']);
    await remote.get(asked('c'), aCall());
    expect(calls).toBe(3);
  });
});
