import { Server, ServerCredentials, type sendUnaryData } from '@grpc/grpc-js';
import protobuf from 'protobufjs/light.js';
import { expect, it } from 'vitest';
import { readEtcd } from '../../../src/cli/transfer/etcd-source.ts';
import type { UsageError } from '../../../src/cli/usage-error.ts';
import { systemClock } from '../../../src/runtime/system-clock.ts';

const { root } = protobuf.Root.fromJSON({
  nested: {
    KeyValue: { fields: { key: { type: 'bytes', id: 1 }, value: { type: 'bytes', id: 5 } } },
    Request: { fields: { key: { type: 'bytes', id: 1 }, limit: { type: 'int32', id: 3 } } },
    Response: {
      fields: { kvs: { rule: 'repeated', type: 'KeyValue', id: 2 }, more: { type: 'bool', id: 3 } },
    },
  },
});

/** An etcd of so many keys, in order, with values of so many bytes. */
async function fakeEtcd(values: readonly number[], limits: number[]) {
  const [asked, answered] = [root.lookupType('Request'), root.lookupType('Response')];
  const keys = values.map((_, index) => `k${1000 + index}`);
  const range = (call: { request: Buffer }, done: sendUnaryData<Buffer>) => {
    const { key, limit } = asked.toObject(asked.decode(call.request), { bytes: Buffer }) as {
      key: Buffer;
      limit: number;
    };
    limits.push(limit);
    const from = keys.filter((name) => Buffer.compare(Buffer.from(name), key) < 0).length;
    const kvs = keys.slice(from, from + limit).map((name, index) => ({
      key: Buffer.from(name),
      value: Buffer.alloc(values[from + index] ?? 0, 'v'),
    }));
    done(null, Buffer.from(answered.encode({ kvs, more: from + limit < keys.length }).finish()));
  };
  const same = (bytes: Buffer) => bytes;
  const server = new Server();
  const path = '/etcdserverpb.KV/Range';
  const codec = {
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  server.addService({ Range: { path, requestStream: false, responseStream: false, ...codec } }, { Range: range });
  const port = await new Promise<number>((resolve, reject) => {
    const bound = (error: Error | null, at: number) => (error === null ? resolve(at) : reject(error));
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), bound);
  });
  return { url: `etcd://127.0.0.1:${port}`, close: () => server.forceShutdown() };
}

it('asks for fewer keys where they are larger than a page may be, and leaves none out', async () => {
  const limits: number[] = [];
  const values = Array.from({ length: 300 }, (_, index) => (index < 100 ? 1 : 50_000));
  const { url, close } = await fakeEtcd(values, limits);
  try {
    const read: string[] = [];
    const options = { url, environment: {}, clock: systemClock, signal: new AbortController().signal };
    const unread = (why: UsageError) => ({ key: why.message, value: Buffer.alloc(0) });
    for await (const { key, value } of readEtcd({ ...options, unread, pageBytesMax: 1024 * 1024 })) {
      read.push(`${key} ${value.length}`);
    }
    expect(read).toEqual(values.map((bytes, index) => `k${1000 + index} ${bytes}`));
    expect(limits.slice(0, 3)).toEqual([64, 128, 32]);
  } finally {
    close();
  }
});
