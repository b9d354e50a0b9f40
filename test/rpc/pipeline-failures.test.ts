import { EventEmitter } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { MeridianError } from '../../src/model/errors.ts';
import type { PutMutation, WriteRequest } from '../../src/model/key-value.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Connection } from '../../src/rpc/client/connection.ts';
import { methods } from '../../src/rpc/client/methods.ts';
import { Pipeline } from '../../src/rpc/client/pipeline.ts';
import { measured } from '../../src/rpc/codec/mutation-fields.ts';
import { toStatus } from '../../src/rpc/status.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { aCall, answerOf } from './loopback.ts';
import { asked, closing, pipelineTo, written } from './pipeline-driver.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('an operation of many', () => {
  it('that cannot be encoded fails by itself, and ends neither the others of its message nor the process', async () => {
    const keys: string[] = [];
    const { pipeline } = await pipelineTo({
      get: async ({ key }) => answerOf(key),
      write: async ({ mutations }) => {
        for (const { key } of mutations) keys.push(key);
        return written;
      },
    });
    const bytes = new ArrayBuffer(1000);
    const write = (key: string, value: Uint8Array, options: object = {}) => {
      const put: PutMutation = { kind: 'put', key, value };
      const request: WriteRequest = { namespace: 'n', session: emptySession, mutations: [put], ...options };
      return pipeline
        .write(request, measured(put), aCall())
        .then(({ durability }) => durability)
        .catch((error: MeridianError) => `${error.code} ${error.details.reason}`);
    };
    const writing = [
      write('before', Buffer.from('v')),
      write('taken-away', new Uint8Array(bytes)),
      write('no-number', Buffer.from('v'), { durabilityTimeoutMs: Symbol('no number') }),
      write('after', Buffer.from('v')),
    ];
    structuredClone(bytes, { transfer: [bytes] });
    const refused = 'INVALID_ARGUMENT not-sendable';
    expect(await Promise.all(writing)).toEqual(['local', refused, refused, 'local']);
    expect(keys).toEqual(['before', 'after']);
    expect((await pipeline.get(asked('k'), aCall())).record?.key).toBe('k');
  });

  it('is looked at when its own signal is aborted, and not once for each other one that waits', async () => {
    const { pipeline } = await pipelineTo({ get: () => new Promise(() => {}) });
    let looks = 0;
    const controllers = Array.from({ length: 400 }, () => new AbortController());
    const getting = controllers.map(({ signal }, i) => {
      const call = aCall(signal);
      Object.defineProperty(call, 'signal', {
        get: () => {
          looks++;
          return signal;
        },
      });
      return pipeline.get(asked(`k${i}`), call).catch((error: MeridianError) => error.code);
    });
    await turn();
    for (const controller of controllers) controller.abort();
    expect(new Set(await Promise.all(getting))).toEqual(new Set(['CANCELLED']));
    expect(looks).toBeLessThan(20 * controllers.length);
  });
});

describe('a write that was sent over a stream that the node then refuses', () => {
  type Asked = { readonly operations: ReadonlyArray<{ readonly id: number; readonly get: unknown }> };
  type Served = ServerDuplexStream<Asked, object>;

  /** A node that answers gets, and ends the stream with this at the first write, which it may have applied. */
  async function refusing(failure: MeridianError) {
    const keys: string[] = [];
    const server = new Server();
    const serve = (served: Served) => {
      served.on('data', ({ operations }) => {
        for (const { id, get } of operations) {
          const error = { code: status.NOT_FOUND, message: 'no such namespace' };
          if (get) served.write({ answers: [{ id, error }] });
          else {
            keys.push('over the stream');
            served.emit('error', toStatus(failure));
          }
        }
      });
    };
    const putAlone = (_call: unknown, callback: (error: object) => void) => {
      keys.push('alone');
      callback(toStatus(failure));
    };
    server.addService(
      { Pipeline: methods.pipeline, Put: methods.put } as never,
      { Pipeline: serve, Put: putAlone } as never,
    );
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    const cluster = connect({ endpoints: [`127.0.0.1:${port}`] });
    closing.push(
      () => server.forceShutdown(),
      () => cluster.close(),
    );
    return { keys, flags: cluster.namespace('flags') };
  }

  const exhausted = (reason: string) => new MeridianError('RESOURCE_EXHAUSTED', 'busy', { reason, retryAfterMs: 1 });
  const tokenEnded = new MeridianError('UNAUTHENTICATED', 'the token was revoked', { reason: 'token-ended' });

  it.each([
    ['for want of room', exhausted('uploads-under-way'), false],
    ['for want of room, after answers', exhausted('uploads-under-way'), true],
    ['for its number of calls, after answers', exhausted('too-many-calls'), true],
    ['for its token, after answers', tokenEnded, true],
  ])('%s, is not sent again, and is not said to have done nothing', async (_, failure, isServed) => {
    const { keys, flags } = await refusing(failure);
    if (isServed) await expect(flags.get('k')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(flags.put('k', 'v')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: 'outcome-unknown' },
    });
    expect(keys).toEqual(['over the stream']);
  });

  it('before it looked at any message, is sent again', async () => {
    const { keys, flags } = await refusing(exhausted('too-many-calls'));
    await expect(flags.put('k', 'v')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(keys).toHaveLength(6);
  });
});

describe('operations that wait while the node takes nothing', () => {
  /** A stream that is full after its first message, until it is told to go on. */
  function fullStream() {
    const written: Buffer[] = [];
    const stream = Object.assign(new EventEmitter(), {
      write: (message: Buffer) => {
        written.push(message);
        return false;
      },
      cancel: () => {},
    });
    const connection = { duplex: () => stream } as unknown as Connection;
    const pipeline = new Pipeline({ connection, clock: systemClock, hops: undefined });
    closing.push(() => pipeline.close());
    return { pipeline, stream, written };
  }

  it('leave nothing in line when they are given up, and those among them are sent in their order', async () => {
    const { pipeline, stream, written } = fullStream();
    const pending: Array<Promise<unknown>> = [pipeline.get(asked('first'), aCall())];
    await turn();
    const controller = new AbortController();
    const values: Array<WeakRef<Uint8Array>> = [];
    const write = (key: string, signal?: AbortSignal) => {
      const value = new Uint8Array(1000);
      values.push(new WeakRef(value));
      const mutation: PutMutation = { kind: 'put', key, value };
      const request: WriteRequest = { namespace: 'n', session: emptySession, mutations: [mutation] };
      pending.push(pipeline.write(request, measured(mutation), aCall(signal)));
    };
    for (let i = 0; i < 20; i++) write(`given-up-${i}`, controller.signal);
    for (const key of ['stays-a', 'stays-b']) write(key);
    for (const each of pending) each.catch(() => {});
    controller.abort();
    await turn();
    collectGarbage();
    expect(values.filter((value) => value.deref() !== undefined)).toHaveLength(2);
    stream.emit('drain');
    expect(written).toHaveLength(2);
    const sent = written.at(-1)?.toString('latin1') ?? '';
    expect(sent).toMatch(/stays-a.*stays-b/s);
    expect(sent).not.toContain('given-up');
  });
});
