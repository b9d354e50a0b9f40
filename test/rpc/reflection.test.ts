import { type Client, credentials } from '@grpc/grpc-js';
import { GrpcReflection, serviceHelper } from 'grpc-js-reflection-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openOrigin, overLoopback } from './loopback.ts';

/** A client that knows nothing of proto/, but what the node tells of it. */
let address: string;
let reflection: GrpcReflection;
const closing: Array<() => Promise<void> | void> = [];

beforeAll(async () => {
  const { origin, close } = await openOrigin();
  closing.push(close);
  await origin.create('books');
  const loopback = await overLoopback(origin);
  closing.push(() => loopback.close());
  address = loopback.address;
  reflection = new GrpcReflection(address, credentials.createInsecure());
});

afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

type Methods = Client & Record<string, (request: object, done: (error: Error | null, answer: object) => void) => void>;

async function ask(service: string, method: string, request: object): Promise<object> {
  const client = (await serviceHelper({
    host: address,
    credentials: credentials.createInsecure(),
    servicePath: service,
    proto_symbol: service,
    protoLoaderOptions: { keepCase: true, longs: Number, enums: String },
  })) as Methods;
  return new Promise<object>((resolve, reject) => {
    client[method]?.(request, (error, answer) => (error === null ? resolve(answer) : reject(error)));
  }).finally(() => client.close());
}

describe('server reflection', () => {
  it('lists every service, health and itself among them', async () => {
    expect([...(await reflection.listServices())].sort()).toEqual([
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'meridian.v1.Cluster',
      'meridian.v1.Feed',
      'meridian.v1.KV',
      'meridian.v1.Namespaces',
      'meridian.v1.Tokens',
    ]);
  });

  it.each(['record', 'kv', 'feed', 'cluster'])('finds %s.proto under its own name', async (file) => {
    const found = await reflection.getDescriptorByFileName(`meridian/v1/${file}.proto`);
    expect(Object.keys(found.getPackageDefinition()).length).toBeGreaterThan(0);
  });

  it('tells fields by the names that stand in proto/, so that a put with an expiry has one', async () => {
    const nowSeconds = Math.floor(Date.now() / 1000);
    const put = { namespace: 'books', key: 'k', value: Buffer.from('v'), expiry: { in_seconds: 100 } };
    await ask('meridian.v1.KV', 'Put', put);
    const found = (await ask('meridian.v1.KV', 'Get', { namespace: 'books', key: 'k' })) as { expires_at: number };
    expect(found).toMatchObject({ found: true, value: Buffer.from('v') });
    expect(found.expires_at - nowSeconds).toBeGreaterThanOrEqual(100);
    expect(found.expires_at - nowSeconds).toBeLessThan(120);
  });

  it('tells maps as maps, so that a session is understood', async () => {
    // As this client writes a map: the entries that a map is on the wire.
    const session = { vector: { sequences: [{ key: '0123456789abcdef', value: 0 }] }, stamp: '' };
    const request = { namespace: 'books', key: 'absent', session };
    expect(await ask('meridian.v1.KV', 'Get', request)).toMatchObject({ provenance: { source: 'ORIGIN' } });
  });

  it('describes health, which answers to what it says', async () => {
    expect(await ask('grpc.health.v1.Health', 'check', { service: '' })).toHaveProperty('status');
  });
});
