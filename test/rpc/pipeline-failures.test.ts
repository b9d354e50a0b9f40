import { afterEach, describe, expect, it } from 'vitest';
import type { MeridianError } from '../../src/model/errors.ts';
import type { GetRequest, PutMutation, WriteAnswer, WriteRequest } from '../../src/model/key-value.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { type MemberId, nowhere } from '../../src/model/position.ts';
import { emptySession } from '../../src/model/session.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { Connection } from '../../src/rpc/client/connection.ts';
import { Pipeline } from '../../src/rpc/client/pipeline.ts';
import { measured } from '../../src/rpc/codec/mutation-fields.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { aCall, answerOf, overLoopback, upstreamWith } from './loopback.ts';

const closing: Array<() => unknown> = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const written: WriteAnswer = {
  namespace: registryNamespace,
  origin: '1'.repeat(16) as MemberId,
  written: [{ stamp: bottomStamp, position: nowhere }],
  durability: 'local',
  covered: new Map(),
  session: emptySession,
};

const asked = (key: string): GetRequest => ({ namespace: 'n', key, session: emptySession });

async function pipelineTo(parts: Partial<Upstream>): Promise<Pipeline> {
  const { address, close } = await overLoopback(upstreamWith(parts));
  const connection = new Connection({ address, clock: systemClock });
  const pipeline = new Pipeline({ connection, clock: systemClock, hops: undefined });
  closing.push(
    close,
    () => connection.close(),
    () => pipeline.close(),
  );
  return pipeline;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('an operation of many', () => {
  it('that cannot be encoded fails by itself, and ends neither the others of its message nor the process', async () => {
    const keys: string[] = [];
    const pipeline = await pipelineTo({
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
    const pipeline = await pipelineTo({ get: () => new Promise(() => {}) });
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
