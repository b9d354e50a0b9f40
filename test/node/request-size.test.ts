import { connect as connectSocket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClusterHandle, connect } from '../../src/client/connect.ts';
import type { RunningNode } from '../../src/node/running-node.ts';
import { openOrigin } from '../rpc/loopback.ts';
import { type Hosted, host } from './hosted.ts';

const most = 5_000_000;
const fits = Buffer.alloc(most - 1000, 'v');
const tooLarge = Buffer.alloc(most + 1, 'v');

let node: RunningNode;
let client: ClusterHandle;
let id: string;
let close: () => Promise<void>;

beforeAll(async () => {
  const { origin, close: closeOrigin } = await openOrigin();
  node = await host(origin as unknown as Hosted, { 'request-size-max': String(most) });
  client = connect({ endpoints: [node.grpcAddress] });
  ({ id } = await client.namespaces.create('flags'));
  close = async () => {
    client.close();
    await node.stop();
    await closeOrigin();
  };
});

afterAll(() => close());

const put = async (path: string, body: Buffer | string, headers: Record<string, string> = {}) => {
  const answer = await fetch(`http://${node.httpAddress}${path}`, { method: 'PUT', body, headers });
  return { status: answer.status, text: await answer.text() };
};
const bound = { 'meridian-namespace': 'flags' };

/** What a connection is told that sends one command and no more. */
async function overRedis(...args: ReadonlyArray<string | Buffer>): Promise<string> {
  const [address, port] = (node.redisAddress ?? '').split(':');
  const socket = connectSocket(Number(port), address);
  socket.write(`*${args.length}\r\n`);
  for (const arg of args) {
    socket.write(`$${arg.length}\r\n`);
    socket.write(arg);
    socket.write('\r\n');
  }
  socket.end();
  return text(socket);
}

const pairs = (valueBytes: number) => JSON.stringify([{ key: 'bulk', value: 'v'.repeat(valueBytes) }]);
const rest = () => `/client/v4/accounts/any/storage/kv/namespaces/${id}`;

describe('a node that takes no larger requests than its --request-size-max', () => {
  it('takes what fits over each of its ports', async () => {
    const flags = client.namespace('flags');
    await flags.put('grpc', fits);
    await flags.write([
      { kind: 'put', key: 'a', value: fits.subarray(0, most / 2) },
      { kind: 'put', key: 'b', value: fits.subarray(0, most / 2 - 1000) },
    ]);
    expect(await put('/binding', fits, bound)).toMatchObject({ status: 200 });
    expect(await put(`${rest()}/values/rest`, fits)).toMatchObject({ status: 200 });
    expect(await put(`${rest()}/bulk`, pairs(most - 1000))).toMatchObject({ status: 200 });
    expect(await overRedis('SET', 'redis', fits)).toBe('+OK\r\n');
    for (const key of ['grpc', 'binding', 'rest', 'bulk', 'redis']) {
      const value = await flags.get(key, { type: 'arrayBuffer' });
      expect([key, value?.byteLength]).toEqual([key, fits.byteLength]);
    }
  });

  it('refuses what does not, naming its limit, and changes nothing', async () => {
    const flags = client.namespace('flags');
    const refused = { code: 'INVALID_ARGUMENT', details: { reason: 'too-large', limit: most } };
    await expect(flags.put('no', tooLarge)).rejects.toMatchObject(refused);
    const half = tooLarge.subarray(0, most / 2);
    const batch = [
      { kind: 'put' as const, key: 'no', value: half },
      { kind: 'put' as const, key: 'no more', value: half },
    ];
    await expect(flags.write(batch)).rejects.toMatchObject(refused);
    const named = expect.stringContaining(String(most));
    expect(await put('/no', tooLarge, bound)).toMatchObject({ status: 413 });
    expect(await put(`${rest()}/values/no`, tooLarge)).toMatchObject({ status: 413, text: named });
    expect(await put(`${rest()}/bulk`, pairs(most))).toMatchObject({ status: 413, text: named });
    expect(await overRedis('SET', 'no', tooLarge)).toContain(`at most ${most} bytes`);
    expect(await overRedis('MSET', 'no', half, 'no more', half)).toContain(`at most ${most} bytes in all`);
    expect(await flags.get('no')).toBeNull();
    expect(await flags.get('no more')).toBeNull();
  });
});
