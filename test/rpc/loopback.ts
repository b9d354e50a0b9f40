import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Call } from '../../src/model/call.ts';
import { MeridianError } from '../../src/model/errors.ts';
import type { GetAnswer } from '../../src/model/key-value.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { nowhere } from '../../src/model/position.ts';
import type { LiveRecord } from '../../src/model/record.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Peer, Upstream } from '../../src/model/upstream.ts';
import { OriginFolder } from '../../src/node/origin-stores.ts';
import { silentOriginObserver } from '../../src/origin/observer.ts';
import { Origin } from '../../src/origin/origin.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { RemoteUpstream } from '../../src/rpc/client/remote-upstream.ts';
import { RpcServer, type RpcServerOptions } from '../../src/rpc/server/rpc-server.ts';
import { AnswerRoom } from '../../src/runtime/answer-room.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import type { Rooms } from '../../src/runtime/rooms.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { UploadRoom } from '../../src/runtime/upload-room.ts';

/** An Upstream behind a server on a port of this machine, and a client of it. */
export interface Loopback {
  readonly remote: RemoteUpstream;
  readonly server: RpcServer;
  /** `host:port` */
  readonly address: string;
  close(): Promise<void>;
}

/** `pipelined`: its client's gets and small writes go over Pipeline. */
export type LoopbackOptions = Partial<RpcServerOptions> & { readonly pipelined?: boolean };

export async function overLoopback(upstream: Upstream, options: LoopbackOptions = {}): Promise<Loopback> {
  const timing = { clock: systemClock, logger: silentLogger, requestTimeoutMs: 30_000 };
  const server = new RpcServer({ upstream, ...timing, rooms: roomsOf(64 * 1024 * 1024), ...options });
  const address = await server.start('127.0.0.1', 0);
  const remote = new RemoteUpstream({ address, clock: systemClock, pipelined: options.pipelined ?? false });
  return {
    remote,
    server,
    address,
    close: async () => {
      remote.close();
      await server.stop(1000);
    },
  };
}

/** So many bytes for answers, and as many for requests. */
export function roomsOf(bytesMax: number): Rooms {
  return {
    answers: new AnswerRoom({ bytesMax }),
    uploads: new UploadRoom({ bytesMax, valueBytesMax: 26 * 1024 * 1024, requestBytesMax: 100e6 }),
  };
}

/** A new origin over a store of its own; `close` takes both away. */
export async function openOrigin(): Promise<{ readonly origin: Origin; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'meridian-rpc-'));
  const stores = await OriginFolder.open(folder);
  const origin = await Origin.open({
    ...originDefaults,
    stores,
    clock: systemClock,
    random: systemRandom,
    observer: silentReplicationObserver,
    originObserver: silentOriginObserver,
    name: 'origin-of-test',
    region: 'here',
    version: '0.0.0',
    durability: 'local',
  });
  return {
    origin,
    close: async () => {
      await origin.close();
      await stores.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A call with a deadline far enough for a slow machine. */
export function aCall(signal: AbortSignal = new AbortController().signal): Call {
  return { deadlineMs: systemClock.monotonicMs() + 20_000, signal };
}

const refuse = async (): Promise<never> => {
  throw new MeridianError('UNIMPLEMENTED', 'not part of this test', { reason: 'not-part-of-test' });
};

/** An Upstream of which a test implements what it looks at; all else is refused. With `report` it is an origin. */
export function upstreamWith(parts: Partial<Peer>): Upstream {
  const refused: Upstream = {
    peek: () => undefined,
    get: refuse,
    list: refuse,
    write: refuse,
    follow: () => {
      throw new Error('not part of this test');
    },
    create: refuse,
    find: refuse,
    namespaces: refuse,
    rename: refuse,
    remove: refuse,
    moveHome: refuse,
    createToken: refuse,
    tokens: refuse,
    rotateToken: refuse,
    revokeToken: refuse,
    status: refuse,
    members: refuse,
    removeMember: refuse,
    digest: refuse,
    digestRange: refuse,
  };
  return { ...refused, ...parts };
}

export function recordOf(key: string, value: Uint8Array): LiveRecord {
  return { kind: 'live', namespace: registryNamespace, key, stamp: 'a'.repeat(32) as never, position: nowhere, value };
}

export function answerOf(key: string, value: Uint8Array = Buffer.from(key)): GetAnswer {
  return {
    record: recordOf(key, value),
    namespace: registryNamespace,
    source: 'cache',
    past: false,
    covered: new Map(),
    responder: 'e',
    session: emptySession,
  };
}

/** A place in between whose connections can be cut; it takes new ones. */
export async function cuttable(address: string) {
  const port = Number(address.split(':')[1]);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port });
    for (const socket of [near, far]) sockets.add(socket.on('error', () => {}));
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const close = () => {
    cut();
    server.close();
  };
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, cut, close };
}
