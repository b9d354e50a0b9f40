import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { Call } from '../../src/model/call.ts';
import { requestIdHeader } from '../../src/model/request-id.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { methods } from '../../src/rpc/client/methods.ts';
import { type LogFields, loggerTo } from '../../src/runtime/logger.ts';
import { aCall, type Loopback, type LoopbackOptions, openOrigin, overLoopback, upstreamWith } from './loopback.ts';

let open: Loopback[] = [];
let clients: Client[] = [];

afterEach(async () => {
  for (const client of clients) client.close();
  await Promise.all(open.map((loopback) => loopback.close()));
  [open, clients] = [[], []];
});

async function serve(upstream: Partial<Upstream>, options: LoopbackOptions = {}): Promise<Loopback> {
  const loopback = await overLoopback(upstreamWith(upstream), options);
  open.push(loopback);
  return loopback;
}

interface Told {
  readonly headers: Metadata | undefined;
  readonly trailers: Metadata;
  readonly code: number;
}

/** What comes back beside the answer of a call that is asked with this id. */
function told(
  { address }: Loopback,
  id: string | undefined,
  method: 'find' | 'get' = 'find',
  request: object = { name: 'flags' },
): Promise<Told> {
  const client = new Client(address, credentials.createInsecure());
  clients.push(client);
  const metadata = new Metadata();
  if (id !== undefined) metadata.set(requestIdHeader, id);
  return new Promise((resolve) => {
    let headers: Metadata | undefined;
    const { path, requestSerialize, responseDeserialize } = methods[method];
    const call = client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, () => {});
    call.once('metadata', (given) => {
      headers = given;
    });
    call.once('status', ({ metadata: trailers, code }) => resolve({ headers, trailers, code }));
  });
}

const found = { id: '0'.repeat(32), title: 'flags', home: undefined };

/** Gets over Pipeline from a node that answers none, and the ids of the calls that it saw. */
async function pipelinedGets() {
  const seen: Array<Call['requestId']> = [];
  const failing: Upstream['get'] = async (_request, call) => {
    seen.push(call.requestId);
    throw new Error('enough');
  };
  const { remote } = await serve({ get: failing }, { pipelined: true });
  const request = { namespace: 'flags', key: 'k', session: emptySession };
  const get = (named: Partial<Call> = {}) => remote.get(request, { ...aCall(), ...named }).catch(() => {});
  return { seen, get };
}

describe('a request’s id over gRPC', () => {
  it('is the caller’s, is given back, and goes with what the call asks of others', async () => {
    const seen: Array<Call['requestId']> = [];
    const loopback = await serve({
      find: async (_name, call) => {
        seen.push(call.requestId);
        return found as never;
      },
    });
    const { headers, code } = await told(loopback, 'order-17/a');
    expect([code, headers?.get(requestIdHeader), seen]).toEqual([0, ['order-17/a'], ['order-17/a']]);
  });

  it('is made for whom brings none, or one that would garble a log', async () => {
    const loopback = await serve({ find: async () => found as never });
    const ids = await Promise.all([undefined, '', 'with space', 'x'.repeat(129)].map((id) => told(loopback, id)));
    const given = ids.map(({ headers }) => headers?.get(requestIdHeader)[0]);
    expect(new Set(given).size).toBe(4);
    for (const id of given) expect(id).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/);
  });

  it('is told with a failure, and stands in the log of one that is a defect', async () => {
    const lines: Array<readonly [string, LogFields | undefined]> = [];
    const logger = loggerTo((level, _message, fields) => void lines.push([level, fields]));
    const failing = {
      find: async () => {
        throw new Error('a defect');
      },
    };
    const { trailers, code } = await told(await serve(failing, { logger }), 'order-18');
    expect([code, trailers.get(requestIdHeader)]).toEqual([13, ['order-18']]);
    const [level, fields] = lines.find(([, of]) => of?.['method'] === 'Namespaces/Get') ?? [];
    expect([level, fields?.['requestId'], fields?.['code']]).toEqual(['error', 'order-18', 'INTERNAL']);
    expect(fields?.['error']).toContain('a defect');
  });

  it('is one for a stream of many operations, with the number of each behind it', async () => {
    const { seen, get } = await pipelinedGets();
    await get();
    await get();
    expect(new Set(seen.map((id) => id?.replace(/\.\d+$/, ''))).size).toBe(1);
    expect(new Set(seen).size).toBe(2);
  });

  it('is the one that an operation brought, where it is an id, at the node that an edge passes the operation to', async () => {
    const { seen, get } = await pipelinedGets();
    for (const requestId of ['order-20', 'x'.repeat(129), 'no id']) {
      await get({ requestId, hops: 1 });
    }
    expect(seen).toEqual(['order-20', expect.stringMatching(/^[^ x]+\.2$/), expect.stringMatching(/^[^ x]+\.3$/)]);
  });

  it('is given back by a read that is answered at once only where it was brought', async () => {
    const { origin, close } = await openOrigin();
    const { namespace } = await origin.create('flags', aCall());
    const mutations = [{ kind: 'put', key: 'k', value: new Uint8Array(1) }] as const;
    await origin.write({ namespace: 'flags', mutations, session: emptySession }, aCall());
    const gets: unknown[] = [];
    await origin.get({ namespace: 'flags', key: 'k', session: emptySession }, aCall());
    const read: Partial<Upstream> = {
      peek: (request) => origin.peek(request),
      get: (request, call) => {
        gets.push(request.key);
        return origin.get(request, call);
      },
    };
    const loopback = await serve(read);
    const wire = { namespace: namespace.id, key: 'k' };
    const [brought, none] = [
      await told(loopback, 'order-19', 'get', wire),
      await told(loopback, undefined, 'get', wire),
    ];
    const ids = [brought, none].map(({ headers }) => headers?.get(requestIdHeader));
    expect([gets, brought.code, none.code, ids]).toEqual([[], 0, 0, [['order-19'], []]]);
    await close();
  });
});
