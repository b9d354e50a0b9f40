import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Clients } from '../../src/rpc/client/clients.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';

/** Answers `quick` at once and `never` not at all. */
const service = {
  quick: unaryMethod('/test/quick'),
  never: unaryMethod('/test/never'),
} as const;

function unaryMethod(path: string) {
  const same = (bytes: Buffer) => bytes;
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  } as const;
}

describe('a client whose calls are given up', () => {
  let server: Server;
  let address: string;
  let clients: Clients;
  /** A call has reached the server. */
  let arrived = () => {};

  beforeEach(async () => {
    server = new Server();
    server.addService(service, {
      quick: (call: { request: Buffer }, done: (error: null, answer: Buffer) => void) => done(null, call.request),
      never: () => arrived(),
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    address = `127.0.0.1:${port}`;
    clients = new Clients({ address, clock: systemClock });
  });

  afterEach(() => {
    clients.close();
    server.forceShutdown();
  });

  function begin(path: string): { readonly ended: Promise<status>; cancel(): void } {
    const same = (bytes: Buffer) => bytes;
    let cancel = () => {};
    const ended = new Promise<status>((resolve) => {
      const call = clients.start((client) =>
        client.makeUnaryRequest(path, same, same, Buffer.from('x'), (error) => {
          resolve(error === null ? status.OK : error.code);
        }),
      );
      cancel = () => call.cancel();
    });
    return { ended, cancel };
  }

  async function giveUp(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const there = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      const call = begin(service.never.path);
      await there;
      call.cancel();
      expect(await call.ended).toBe(status.CANCELLED);
    }
  }

  it('waits no more for a connection once a call is under way, also where the node ends the connection behind it', async () => {
    clients.close();
    clients = new Clients({ address, clock: systemClock, connectMsMax: 500 });
    const there = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const call = begin(service.never.path);
    await there;
    server.tryShutdown(() => {});
    await new Promise((resolve) => setTimeout(resolve, 1000));
    call.cancel();
    expect(await call.ended).toBe(status.CANCELLED);
  });

  it('keeps all other calls, however many are given up', async () => {
    const early = begin(service.never.path);
    await giveUp(2500);
    const late = begin(service.never.path);
    expect(await begin(service.quick.path).ended).toBe(status.OK);
    const first = await Promise.race([early.ended, late.ended, Promise.resolve('both are under way')]);
    expect(first).toBe('both are under way');
    early.cancel();
    late.cancel();
    expect(await Promise.all([early.ended, late.ended])).toEqual([status.CANCELLED, status.CANCELLED]);
  });

  it('stays one connection where few are', async () => {
    await giveUp(100);
    expect(clients.opened).toBe(1);
  });
});
