import { connect } from 'node:net';
import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { service as health } from 'grpc-health-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Call } from '../../src/model/call.ts';
import type { NodeStatus } from '../../src/model/cluster.ts';
import { type Caller, openEntrance } from '../../src/model/entrance.ts';
import { isMeridianError, MeridianError } from '../../src/model/errors.ts';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../../src/model/feed.ts';
import { everything } from '../../src/model/filter.ts';
import type { GetAnswer } from '../../src/model/key-value.ts';
import type { NamespaceId, NamespaceInfo } from '../../src/model/namespace.ts';
import type { LogId, MemberId } from '../../src/model/position.ts';
import { emptySession } from '../../src/model/session.ts';
import { services } from '../../src/rpc/proto.ts';
import { BoundedQueue } from '../../src/runtime/bounded-queue.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { aCall, answerOf, type Loopback, overLoopback, upstreamWith } from './loopback.ts';

const closing: Array<() => Promise<void> | void> = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serve(parts: Parameters<typeof upstreamWith>[0]): Promise<Loopback> {
  const loopback = await overLoopback(upstreamWith(parts));
  closing.push(() => loopback.close());
  return loopback;
}

const status = (ready: boolean): NodeStatus => ({
  node: { name: 'n', role: 'origin', id: '1'.repeat(16), region: '' },
  clusterId: 'c',
  version: '0',
  ready,
  notes: [],
  uptimeMs: 1,
  unsealed: [],
  scopes: [],
  followers: [],
  readOnly: false,
});

const books: NamespaceInfo = { id: '3'.repeat(32) as NamespaceId, title: 'books', home: '1'.repeat(16) as MemberId };

const open: FollowOpen = {
  protocol: 2,
  node: { name: 'f', role: 'edge', id: '2'.repeat(16), region: '' },
  nonce: 'x',
  role: 'cache',
  filter: everything,
  values: { kind: 'none' },
  start: { kind: 'nothing' },
};

const request = { namespace: 'books', key: 'k', session: emptySession };

/** A call as a client in another language would make it. */
function raw(address: string, method: unknown, message: object, deadlineMs = 20_000): Promise<object> {
  const { path, requestSerialize, responseDeserialize } = method as MethodDefinition<object, object>;
  const client = new Client(address, credentials.createInsecure());
  closing.push(() => client.close());
  const options = { deadline: systemClock.wallMs() + deadlineMs };
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      new Metadata(),
      options,
      (error, answer) => (error === null ? resolve(answer ?? {}) : reject(error)),
    );
  });
}

/** Waits as a get does that never ends by itself, and tells what call it was given. */
function hanging(): {
  readonly called: Promise<Call>;
  readonly get: (request: object, call: Call) => Promise<GetAnswer>;
} {
  let tell: (call: Call) => void = () => {};
  const called = new Promise<Call>((resolve) => {
    tell = resolve;
  });
  const get = (_: object, call: Call) => {
    tell(call);
    return new Promise<never>((_resolve, reject) => {
      call.signal.addEventListener('abort', () => reject(call.signal.reason), { once: true });
    });
  };
  return { called, get };
}

describe('the gRPC server', () => {
  it('tells the upstream when its caller gives up', async () => {
    const { called, get } = hanging();
    const { remote } = await serve({ get });
    const giveUp = new AbortController();
    const answer = remote.get(request, aCall(giveUp.signal));
    const { signal } = await called;
    giveUp.abort(new Error('enough'));
    await expect(answer).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect.poll(() => signal.aborted, { timeout: 10_000 }).toBe(true);
  });

  it('hands the caller’s deadline on, not its own default', async () => {
    const { called, get } = hanging();
    const { remote } = await serve({ get });
    const giveUp = new AbortController();
    const deadlineMs = systemClock.monotonicMs() + 600_000;
    const answer = remote.get(request, { deadlineMs, signal: giveUp.signal });
    expect(Math.abs((await called).deadlineMs - deadlineMs)).toBeLessThan(60_000);
    giveUp.abort(new Error('enough'));
    await expect(answer).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('ends a call when its deadline passes', async () => {
    const { remote } = await serve({ get: hanging().get });
    const deadlineMs = systemClock.monotonicMs() + 100;
    await expect(remote.get(request, { ...aCall(), deadlineMs })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });

  it('carries an error of the upstream to the caller with its details', async () => {
    const details = { reason: 'too-many-loads', limit: 10, seen: 11, retryAfterMs: 100 };
    const { remote } = await serve({
      get: async () => {
        throw new MeridianError('RESOURCE_EXHAUSTED', 'too many loads', details);
      },
    });
    await expect(remote.get(request, aCall())).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED', details });
  });

  it.each([
    ['a session whose stamp is none', { vector: null, stamp: 'x' }],
    ['a session of an origin that is none', { vector: { sequences: { x: 1 } }, stamp: '' }],
    [
      'a session of more than 1024 components',
      {
        vector: {
          sequences: Object.fromEntries(Array.from({ length: 1025 }, (_, i) => [`${i}`.padStart(16, '0'), 1])),
        },
        stamp: '',
      },
    ],
  ])('refuses %s before the upstream sees it', async (_, session) => {
    let asked = 0;
    const { address } = await serve({
      get: () => {
        asked++;
        return Promise.reject(new Error('asked'));
      },
    });
    const get = services.kv.service.Get;
    await expect(raw(address, get, { namespace: 'b', key: 'k', session })).rejects.toMatchObject({ code: 3 });
    expect(asked).toBe(0);
  });

  it.each([0, 101])('refuses a batch get of %i keys', async (count) => {
    const { address } = await serve({});
    const keys = Array.from({ length: count }, (_, i) => `k${i}`);
    await expect(raw(address, services.kv.service.BatchGet, { namespace: 'b', keys })).rejects.toMatchObject({
      code: 3,
    });
  });

  it('writes nothing of a batch whose sender went away in the middle', async () => {
    let writes = 0;
    const { address, remote } = await serve({
      write: () => {
        writes++;
        return Promise.reject(new Error('written'));
      },
      status: async () => status(true),
    });
    const { path, requestSerialize, responseDeserialize } = services.kv.service.Write as MethodDefinition<
      object,
      object
    >;
    const client = new Client(address, credentials.createInsecure());
    closing.push(() => client.close());
    await new Promise<void>((resolve) => {
      const stream = client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, () => resolve());
      stream.write({ header: { namespace: 'books' } });
      stream.write({ mutation: { key: 'k', put: { value: Buffer.from('v') } } }, () => stream.cancel());
    });
    await remote.status(aCall());
    expect(writes).toBe(0);
  });

  it('ends a feed as the upstream ends it: well, or with its error', async () => {
    const opened = { kind: 'opened', node: status(true).node, nonce: 'n', clusterId: 'c', generation: 'g', wallMs: 1 };
    const over = new MeridianError('UNAVAILABLE', 'too slow', { reason: 'follower-stalled', retryAfterMs: 5 });
    for (const error of [undefined, over]) {
      const { remote } = await serve({
        async *follow(_open, messages) {
          // As a node does: the end comes while it waits for what its follower says.
          void (async () => {
            for await (const _ of messages);
          })().catch(() => {});
          yield opened as FeedEvent;
          if (error !== undefined) throw error;
        },
      });
      const seen: FeedEvent[] = [];
      const probes = new BoundedQueue<FollowerMessage>(1);
      const follow = async () => {
        for await (const event of remote.follow(open, probes, aCall().signal)) seen.push(event);
      };
      if (error === undefined) await follow();
      else await expect(follow()).rejects.toMatchObject({ code: 'UNAVAILABLE', details: error.details });
      expect(seen).toEqual([opened]);
      probes.end();
    }
  });

  it('passes a report on where an origin is served, and says that it has none where an edge is', async () => {
    const [member, initiator, reporter] = ['4', '5', '6'].map((digit) => digit.repeat(16)) as [
      MemberId,
      MemberId,
      MemberId,
    ];
    const asked = { member, initiator, reporter, withdraws: true, attempt: 3 };
    const report = { covered: new Map([['7'.repeat(16) as LogId, 8]]), registered: [initiator, reporter] };
    const seen: object[] = [];
    const atOrigin = await serve({
      report: async (request) => {
        seen.push(request);
        return report;
      },
    });
    expect(await atOrigin.remote.report(asked, aCall())).toEqual(report);
    expect(seen).toEqual([asked]);
    const atEdge = await serve({});
    await expect(atEdge.remote.report(asked, aCall())).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
  });

  it('tells the logs of members, and where those of a removed one were sealed, as they were', async () => {
    const [closed, log] = ['8', '9'].map((digit) => digit.repeat(16)) as [LogId, LogId];
    const logs = [
      { log: closed, openedMs: 1, final: 7 },
      { log, openedMs: 2 },
    ];
    const member = { ...status(true).node, connected: true, logs };
    const removed = {
      id: '4'.repeat(16) as MemberId,
      name: 'fra',
      logs: [{ log: closed, final: 7 }],
      missing: ['iad'],
    };
    const unsealed = [{ log: closed, waitsFor: ['iad'] }];
    const { remote } = await serve({
      members: async () => [member],
      removeMember: async () => removed,
      status: async () => ({ ...status(true), log, unsealed }),
    });
    expect(await remote.members(aCall())).toEqual([member]);
    expect(await remote.removeMember({ name: 'fra', force: false }, aCall())).toEqual(removed);
    expect(await remote.status(aCall())).toMatchObject({ log, unsealed });
  });

  it('is asked for a value in pieces in the name of who asks, as it was for the whole one', async () => {
    const value = Buffer.alloc(5 * 1024 * 1024, 'v');
    const hops: Array<number | undefined> = [];
    const upstream = upstreamWith({
      get: async ({ key }, call) => {
        hops.push(call.hops);
        return answerOf(key, value);
      },
    });
    const enter = ({ authorization }: Caller) => {
      if (authorization === 'Bearer his-own-token') return upstream;
      throw new MeridianError('UNAUTHENTICATED', 'no token', { reason: 'no-token' });
    };
    const loopback = await overLoopback(upstream, { entrance: { ...openEntrance(upstream), enter } });
    closing.push(() => loopback.close());
    const call = { ...aCall(), credential: 'his-own-token', hops: 1 };
    const { record } = await loopback.remote.get({ namespace: 'n', key: 'k', session: emptySession }, call);
    expect(record?.kind === 'live' && record.value.byteLength).toBe(value.byteLength);
    expect(hops).toEqual([1, 1]);
  });

  it('says over grpc.health.v1 whether the node is ready', async () => {
    for (const [ready, expected] of [
      [true, 'SERVING'],
      [false, 'NOT_SERVING'],
    ] as const) {
      const { address } = await serve({ status: async () => status(ready) });
      for (const service of ['', 'meridian.v1.KV', 'meridian.v1.Feed']) {
        await expect
          .poll(() => raw(address, health.Check, { service }), { timeout: 10_000 })
          .toMatchObject({ status: expected });
      }
      await expect(raw(address, health.Check, { service: 'unknown' })).rejects.toMatchObject({ code: 5 });
    }
  });

  it('says over grpc.health.v1 that a node is not ready whose status does not come, until it does', async () => {
    let goOn = (_status: NodeStatus): void => {};
    let asked = 0;
    const hanging = () => new Promise<NodeStatus>((resolve) => (goOn = resolve));
    const { address } = await serve({ status: async () => (++asked === 2 ? hanging() : status(true)) });
    const told = () => raw(address, health.Check, { service: '' });
    await expect.poll(told, { timeout: 10_000 }).toMatchObject({ status: 'SERVING' });
    await expect.poll(told, { timeout: 20_000 }).toMatchObject({ status: 'NOT_SERVING' });
    expect(asked).toBe(2);
    goOn(status(true));
    await expect.poll(told, { timeout: 10_000 }).toMatchObject({ status: 'SERVING' });
  });

  it('offers reflection of its services', async () => {
    const { address } = await serve({});
    const client = new Client(address, credentials.createInsecure());
    closing.push(() => client.close());
    const definition = reflectionMethod();
    const names = await new Promise<string[]>((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = definition;
      const stream = client.makeBidiStreamRequest<object, ReflectionAnswer>(
        path,
        requestSerialize,
        responseDeserialize,
      );
      stream.on('data', (answer: ReflectionAnswer) => {
        resolve((answer.listServicesResponse?.service ?? []).map(({ name }) => name));
        stream.end();
      });
      stream.on('error', reject);
      stream.write({ listServices: '' });
    });
    expect(names).toEqual(
      expect.arrayContaining(['KV', 'Namespaces', 'Cluster', 'Feed'].map((n) => `meridian.v1.${n}`)),
    );
  });

  it('outlives garbage on its port', async () => {
    const { address, remote } = await serve({ status: async () => status(true) });
    const [host = '', port = ''] = address.split(':');
    for (const bytes of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(100_000, 0xa5), Buffer.alloc(0)]) {
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), host, () => socket.end(bytes));
        socket.on('close', () => resolve());
        socket.on('error', () => {});
        socket.resume();
      });
    }
    await expect(remote.status(aCall())).resolves.toMatchObject({ ready: true });
  });

  it('refuses an address that is taken', async () => {
    const { address } = await serve({});
    const { server: second } = await serve({});
    const port = Number(address.split(':')[1]);
    await expect(second.start('127.0.0.1', port)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('lets a call end that is under way when it stops, and cuts it when the drain is over', async () => {
    const { called, get } = hanging();
    const { server, remote } = await serve({ get });
    const answer = remote.get(request, aCall()).catch((error: unknown) => error);
    await called;
    await server.stop(50);
    expect(isMeridianError(await answer)).toBe(true);
  });

  it('ends followers and watches when it stops, and says why, without waiting for the drain to be over', async () => {
    const opened = { kind: 'opened', node: status(true).node, nonce: 'n', clusterId: 'c', generation: 'g', wallMs: 1 };
    const { server, remote } = await serve({
      find: async () => books,
      async *follow(_open, _messages, signal) {
        yield opened as FeedEvent;
        yield { kind: 'caught-up', vector: new Map(), floor: new Map(), stable: new Map() } as FeedEvent;
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      },
    });
    const probes = new BoundedQueue<FollowerMessage>(1);
    closing.push(() => probes.end());
    const streams = [
      remote.follow(open, probes, aCall().signal),
      remote.watch({ namespace: 'books', prefix: '', fromStart: true }, aCall().signal),
    ];
    const begun: Array<() => void> = [];
    const following = streams.map(async (events): Promise<unknown> => {
      try {
        for await (const _ of events) begun.shift()?.();
        return 'a good end';
      } catch (error) {
        return error;
      }
    });
    await Promise.all(streams.map(() => new Promise<void>((resolve) => begun.push(resolve))));
    // A drain that waited for them would outlast the test.
    await server.stop(3_600_000);
    const stopping = { code: 'UNAVAILABLE', details: { reason: 'stopping' } };
    for (const end of await Promise.all(following)) expect(end).toMatchObject(stopping);
  });

  it('lets a call end that takes part of the drain before it ends its followers', async () => {
    const order: string[] = [];
    let tell: () => void = () => {};
    const called = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const { server, remote } = await serve({
      async *follow(_open, _messages, signal) {
        yield { kind: 'resync', vector: new Map(), finals: new Map(), reason: 'below-floor' } as FeedEvent;
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        order.push('follower ended');
      },
      find: async () => {
        tell();
        await new Promise<void>((resolve) => systemClock.timer(200, resolve));
        order.push('call ended');
        return books;
      },
    });
    const probes = new BoundedQueue<FollowerMessage>(1);
    closing.push(() => probes.end());
    const events = remote.follow(open, probes, aCall().signal)[Symbol.asyncIterator]();
    await events.next();
    const asked = remote.find('books', aCall());
    const ending = events.next().catch(() => undefined);
    await called;
    await server.stop(20_000);
    await expect(asked).resolves.toEqual(books);
    await ending;
    expect(order).toEqual(['call ended', 'follower ended']);
  });

  it('is told apart from nobody at all: then nothing was sent', async () => {
    const { server, remote } = await serve({ status: async () => status(true) });
    await server.stop(0);
    await expect(remote.status(aCall())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: 'not-connected' },
    });
  });
});

interface ReflectionAnswer {
  readonly listServicesResponse?: { readonly service: ReadonlyArray<{ readonly name: string }> };
}

/** The public reflection protocol, as far as this test speaks it. */
function reflectionMethod(): MethodDefinition<object, ReflectionAnswer> {
  const loaded = loadSync('reflection/v1/reflection.proto', {
    includeDirs: ['node_modules/@grpc/reflection/build/proto/grpc', 'node_modules/@grpc/reflection/proto/grpc'],
  });
  const service = loaded['grpc.reflection.v1.ServerReflection'] as Record<string, unknown> | undefined;
  return service?.ServerReflectionInfo as MethodDefinition<object, ReflectionAnswer>;
}
