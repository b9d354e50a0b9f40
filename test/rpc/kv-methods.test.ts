import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptySession } from '../../src/model/session.ts';
import { bottomStamp } from '../../src/model/stamp.ts';
import { services } from '../../src/rpc/proto.ts';
import { aCall, openOrigin, overLoopback, upstreamWith } from './loopback.ts';

/** The methods as a client in another language sees them, with nothing of ours between. */
let client: Client;
const closing: Array<() => Promise<void> | void> = [];

beforeAll(async () => {
  const { origin, close } = await openOrigin();
  closing.push(close);
  await origin.create('books');
  expect((await origin.namespaces(aCall())).length).toBe(1);
  const loopback = await overLoopback(origin);
  closing.push(() => loopback.close());
  client = new Client(loopback.address, credentials.createInsecure());
  closing.push(() => client.close());
});

afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

interface Answer {
  readonly found: boolean;
  readonly value: Buffer;
  readonly valueBytes: number;
  readonly metadata?: string;
  readonly version: string;
  readonly expiresAt?: number;
  readonly written: ReadonlyArray<{ readonly version: string; readonly expiresAt?: number }>;
  readonly answers: ReadonlyArray<{ readonly key: string }>;
  readonly omitted: readonly string[];
}

function ask(method: string, message: object): Promise<Answer> {
  const { path, requestSerialize, responseDeserialize } = services.kv.service[method] as MethodDefinition<
    object,
    Answer
  >;
  const request = { namespace: 'books', ...message };
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, new Metadata(), (error, answer) => {
      if (error !== null || answer === undefined) reject(error);
      else resolve(answer);
    });
  });
}

const codes = { invalid: 3, precondition: 9, notFound: 5, denied: 7 } as const;

it('a list over the wire marks a damaged record, which has no version', async () => {
  const position = { log: 'b'.repeat(16), sequence: 1 };
  const list = async () =>
    ({
      ...{ namespace: 'a'.repeat(32), source: 'origin', past: false, covered: new Map(), responder: 'o' },
      session: { vector: new Map(), stamp: '0'.repeat(32) },
      keys: [
        { key: 'a', damaged: true, stamp: bottomStamp, valueBytes: 0 },
        { key: 'b', stamp: `1${'0'.repeat(15)}${position.log}`, valueBytes: 7 },
      ],
    }) as never;
  const loopback = await overLoopback(upstreamWith({ list }));
  closing.push(() => loopback.close());
  const request = { namespace: 'n', prefix: '', limit: 10, session: emptySession };
  const { keys } = await loopback.remote.list(request, aCall());
  expect(keys.map(({ key, damaged, stamp, valueBytes }) => [key, damaged, stamp, valueBytes])).toEqual([
    ['a', true, bottomStamp, 0],
    ['b', undefined, `1${'0'.repeat(15)}${position.log}`, 7],
  ]);
});

describe('the methods of KV', () => {
  it.each([
    ['a durability that it does not know', { durability: 99 }],
    ['a durability timeout that is no time', { durabilityTimeoutMs: Number.NaN }],
    ['a durability timeout below 0', { durabilityTimeoutMs: -1 }],
  ])('refuse %s, and promise nothing less instead', async (_, options) => {
    await expect(ask('Put', { key: 'x', value: Buffer.from('1'), options })).rejects.toMatchObject({
      code: codes.invalid,
    });
    expect(await ask('Get', { key: 'x' })).toMatchObject({ found: false });
  });

  it('put, get and delete one key, each with a message', async () => {
    const put = { key: 'a', value: Buffer.from('one'), metadata: '{"b":2}', expiry: { atSeconds: 4_000_000_000 } };
    const { written } = await ask('Put', put);
    expect(await ask('Get', { key: 'a' })).toMatchObject({
      found: true,
      value: Buffer.from('one'),
      valueBytes: 3,
      metadata: '{"b":2}',
      expiresAt: 4_000_000_000,
      version: written[0]?.version,
    });
    const deleted = await ask('Delete', { key: 'a', condition: { ifVersion: written[0]?.version } });
    expect(await ask('Get', { key: 'a' })).toMatchObject({ found: false, version: deleted.written[0]?.version });
  });

  it('take a condition in either form', async () => {
    const put = { key: 'c', value: Buffer.from('x'), condition: { ifAbsent: true } };
    const { written } = await ask('Put', put);
    await expect(ask('Put', put)).rejects.toMatchObject({ code: codes.precondition });
    await expect(ask('Delete', { key: 'c', condition: { ifVersion: 'f'.repeat(32) } })).rejects.toMatchObject({
      code: codes.precondition,
    });
    await ask('Put', { ...put, condition: { ifVersion: written[0]?.version } });
    await expect(ask('Put', { ...put, condition: { ifVersion: 'v1' } })).rejects.toMatchObject({
      code: codes.invalid,
    });
  });

  it('refuse an empty request, the registry and an unknown namespace', async () => {
    await expect(ask('Get', {})).rejects.toMatchObject({ code: codes.invalid });
    await expect(ask('Put', { key: 'k', namespace: '0'.repeat(32) })).rejects.toMatchObject({ code: codes.denied });
    await expect(ask('List', { namespace: '0'.repeat(32) })).rejects.toMatchObject({ code: codes.denied });
    await expect(ask('Get', { key: 'k', namespace: 'nobody' })).rejects.toMatchObject({ code: codes.notFound });
  });

  it('say with a value that is too large for Get that Read has it', async () => {
    const half = Buffer.alloc(4 * 1024 * 1024 - 32 * 1024);
    await ask('Put', { key: 'large', value: half });
    await expect(ask('Get', { key: 'large' })).rejects.toMatchObject({
      code: codes.precondition,
      details: expect.stringContaining('Read'),
    });
  });

  it('name the keys that do not fit into a batch of answers', async () => {
    const keys = ['big/1', 'big/2', 'big/3'];
    for (const key of keys) await ask('Put', { key, value: Buffer.alloc(1.8 * 1024 * 1024) });
    const { answers, omitted } = await ask('BatchGet', { keys: [...keys, 'none'] });
    expect(answers.map(({ key }) => key)).toEqual(['big/1', 'big/2', 'none']);
    expect(omitted).toEqual(['big/3']);
  });
});
