import { renameSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import { TestAuthority } from '../cli/ca/test-authority.ts';
import { ProcessCluster, placeOf } from './process-cluster.ts';

const patience = { timeout: 60_000 };
const workers = 3;

interface Identity {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** A connection that is kept, to one of the ports of one of the workers. */
interface Kept {
  /** Of the certificate that the worker showed when the connection began. */
  readonly serial: string;
  /** Asks for something over it, and tells whether that was answered; false too where it is gone. */
  ask(): Promise<boolean>;
  close(): void;
}

type Open = (edge: ChildNode, identity: Identity) => Promise<Kept>;

const serialOf = (socket: TLSSocket) => socket.getPeerCertificate().serialNumber;

/** Over a protocol in which one text is asked, and one is answered. */
const overText =
  (portOf: (edge: ChildNode) => ChildNode['http'] | undefined, question: string, answer: RegExp): Open =>
  (edge, identity) =>
    new Promise((resolve, reject) => {
      const { host, port } = portOf(edge) ?? edge.http;
      const socket = connectTls({ host, port, ...identity });
      const ask = () =>
        new Promise<boolean>((tell) => {
          if (socket.destroyed) return tell(false);
          socket.once('data', (chunk: Buffer) => tell(answer.test(chunk.toString())));
          socket.once('close', () => tell(false));
          socket.write(question);
        });
      // Under TLS 1.3 whether a certificate of this side was accepted shows in the first answer.
      socket.once('secureConnect', () => {
        const serial = serialOf(socket);
        const kept = { serial, ask, close: () => socket.destroy() };
        ask().then((isAnswered) => (isAnswered ? resolve(kept) : reject(new Error('refused'))), reject);
      });
      socket.on('error', reject);
    });

const overHttp2: Open = (edge, identity) =>
  new Promise((resolve, reject) => {
    const session = connectHttp2(`https://${placeOf(edge.grpc)}`, identity);
    const ask = () =>
      new Promise<boolean>((tell) => {
        if (session.destroyed || session.closed || !session.ping((error) => tell(error === null))) tell(false);
      });
    session.once('connect', () => {
      const kept = { serial: serialOf(session.socket as TLSSocket), ask, close: () => session.destroy() };
      ask().then((isAnswered) => (isAnswered ? resolve(kept) : reject(new Error('refused'))), reject);
    });
    session.on('error', reject);
  });

const ports: ReadonlyArray<readonly [string, Open]> = [
  ['gRPC', overHttp2],
  ['HTTP', overText(({ http }) => http, 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1.1 200 /)],
  ['Redis', overText(({ redis }) => redis, 'PING\r\n', /^\+PONG/)],
];

describe('the certificates of an edge of several processes', () => {
  const authority = new TestAuthority('first');
  let cluster: ProcessCluster;
  let kept: Kept[];

  beforeEach(() => {
    cluster = new ProcessCluster();
    kept = [];
  });

  afterEach(async () => {
    for (const connection of kept) connection.close();
    await cluster.close();
  });

  const path = (name: string) => join(cluster.folder, name);

  /** At once, as one renews what somebody may be reading. */
  function write(files: Readonly<Record<string, Buffer>>): void {
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(path(`${name}.new`), content);
      renameSync(path(`${name}.new`), path(name));
    }
  }

  async function startEdge(asksClients: boolean): Promise<ChildNode> {
    const { cert, key } = authority.issue('nodes');
    write({ cert, key, ca: authority.ca, 'client-ca': authority.ca });
    const own = ['--tls-cert', path('cert'), '--tls-key', path('key'), '--tls-ca', path('ca')];
    const tls = asksClients ? [...own, '--tls-client-ca', path('client-ca')] : own;
    const origin = await cluster.start('origin', 'iad', { flags: tls });
    const shared = ['--upstream', placeOf(origin.grpc), '--workers', String(workers), '--redis', '127.0.0.1:0'];
    return cluster.start('edge', 'fra', { flags: [...shared, ...tls] });
  }

  /** One connection for each worker and port: connections come to the workers in turn. */
  async function toAllWorkers(edge: ChildNode, identity: Identity): Promise<Kept[]> {
    const all: Kept[] = [];
    for (const [, open] of ports) for (let n = 0; n < workers; n++) all.push(await open(edge, identity));
    return all;
  }

  async function serialsAt(edge: ChildNode, identity: Identity): Promise<readonly string[]> {
    const all = await toAllWorkers(edge, identity);
    for (const connection of all) connection.close();
    return [...new Set(all.map(({ serial }) => serial))];
  }

  /** On how many of all ports and workers a new connection is refused. */
  async function refusedAt(edge: ChildNode, identity: Identity): Promise<number> {
    let refused = 0;
    for (const [, open] of ports) {
      for (let n = 0; n < workers; n++) {
        await open(edge, identity).then(
          (connection) => connection.close(),
          () => refused++,
        );
      }
    }
    return refused;
  }

  const answeredBy = async (connections: readonly Kept[]) => {
    return (await Promise.all(connections.map((connection) => connection.ask()))).filter((isAnswered) => isAnswered);
  };

  it('are renewed in every worker, on every port, while connections go on', async () => {
    const edge = await startEdge(false);
    const identity = { ca: authority.ca };
    kept = await toAllWorkers(edge, identity);
    const before = [...new Set(kept.map(({ serial }) => serial))];
    expect(before).toHaveLength(1);
    write(authority.issue('nodes'));
    await expect
      .poll(async () => (await serialsAt(edge, identity)).some((one) => before.includes(one)), patience)
      .toBe(false);
    expect(await serialsAt(edge, identity)).toHaveLength(1);
    expect(await answeredBy(kept)).toHaveLength(workers * ports.length);
    expect(
      (await cluster.connect(edge, { tls: identity }).status()).processes?.map(({ restarts }) => restarts),
    ).toEqual(Array(workers + 1).fill(0));
  }, 120_000);

  it('of clients are asked for by every worker, and their CA is renewed while connections go on', async () => {
    const edge = await startEdge(true);
    const everywhere = workers * ports.length;
    const second = new TestAuthority('second');
    const { ca } = authority;
    const [known, later] = [authority, second].map((issuer) => ({ ca, ...issuer.issue('app') }));
    if (known === undefined || later === undefined) throw new Error('there are two');
    kept = await toAllWorkers(edge, known);
    expect(await refusedAt(edge, { ca })).toBe(everywhere);
    expect(await refusedAt(edge, later)).toBe(everywhere);
    write({ 'client-ca': Buffer.concat([authority.ca, second.ca]) });
    await expect.poll(() => refusedAt(edge, later), patience).toBe(0);
    expect(await refusedAt(edge, known)).toBe(0);
    // The processes of the edge itself speak on a socket of theirs, and need none of these.
    write({ 'client-ca': second.ca });
    await expect.poll(() => refusedAt(edge, known), patience).toBe(everywhere);
    expect(await refusedAt(edge, later)).toBe(0);
    expect(await answeredBy(kept)).toHaveLength(everywhere);
    expect((await cluster.connect(edge, { tls: later }).status()).ready).toBe(true);
  }, 120_000);
});
