import { Agent, request as httpsRequest } from 'node:https';
import { connect as netConnect } from 'node:net';
import { type SecureVersion, connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HttpListener } from '../../src/http/http-listener.ts';
import { RemoteUpstream } from '../../src/rpc/client/remote-upstream.ts';
import { RpcServer } from '../../src/rpc/server/rpc-server.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import type { ClientTls, RenewedTls, ServerTls } from '../../src/runtime/tls.ts';
import { TestAuthority } from '../cli/ca/test-authority.ts';
import { aCall, roomsOf, upstreamWith } from '../rpc/loopback.ts';

/** Certificates that a test renews. */
class Renewable implements RenewedTls {
  current: ServerTls;
  readonly #listeners: Array<(renewed: ServerTls) => void> = [];

  constructor(first: ServerTls) {
    this.current = first;
  }

  onRenewed(run: (renewed: ServerTls) => void): void {
    this.#listeners.push(run);
  }

  renew(to: ServerTls): void {
    this.current = to;
    for (const run of this.#listeners) run(to);
  }
}

interface TlsNode {
  readonly tls: Renewable;
  readonly grpc: string;
  readonly http: string;
  stop(): Promise<void>;
}

const timing = { clock: systemClock, logger: silentLogger };
const upstream = upstreamWith({ namespaces: async () => [], status: () => Promise.reject(new Error('none')) });

async function startNode(first: ServerTls): Promise<TlsNode> {
  const tls = new Renewable(first);
  const server = new RpcServer({ ...timing, upstream, tls, requestTimeoutMs: 10_000, rooms: roomsOf(2 ** 26) });
  const listener = new HttpListener({
    ...{ ...timing, tls, exchangeMs: 10_000, observer: { answered: () => {}, rejected: () => {} } },
    surfaces: [
      {
        name: 'any',
        surface: { matches: () => true, handle: async (_request, response) => void response.end('hello') },
      },
    ],
  });
  const grpc = await server.start('127.0.0.1', 0);
  const http = await listener.start('127.0.0.1', 0);
  return {
    ...{ tls, grpc, http },
    stop: async () => {
      await server.stop(500);
      await listener.stop(500);
    },
  };
}

function remoteOf(node: TlsNode, tls: (() => ClientTls | undefined) | undefined): RemoteUpstream {
  return new RemoteUpstream({ address: node.grpc, clock: systemClock, ...(tls === undefined ? {} : { tls }) });
}

async function asks(node: TlsNode, tls: ClientTls | undefined): Promise<string> {
  const remote = remoteOf(node, () => tls);
  const call = { ...aCall(), deadlineMs: systemClock.monotonicMs() + 1500 };
  const outcome = await remote.namespaces(call).then(
    () => 'answered',
    ({ code }: { code: string }) => code,
  );
  remote.close();
  return outcome;
}

function fetchText(node: TlsNode, tls: ClientTls, agent = new Agent()): Promise<{ text: string; serial: string }> {
  const [host = '', port = ''] = node.http.split(':');
  return new Promise((resolve, reject) => {
    const asked = httpsRequest({ host, port, agent, ...tls }, (response) => {
      const serial = (
        response.socket as unknown as { getPeerCertificate(): { serialNumber: string } }
      ).getPeerCertificate().serialNumber;
      response.on('data', (chunk: Buffer) => resolve({ text: chunk.toString(), serial }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

const handshake = (address: string, options: { maxVersion?: SecureVersion; ca: Buffer }): Promise<string> => {
  const [host = '', port = ''] = address.split(':');
  return new Promise((resolve) => {
    const ciphers = 'DEFAULT@SECLEVEL=0';
    const socket = tlsConnect({
      host,
      port: Number(port),
      minVersion: 'TLSv1',
      ciphers,
      ALPNProtocols: ['h2', 'http/1.1'],
      ...options,
    });
    socket.once('secureConnect', () => {
      resolve(socket.getProtocol() ?? 'none');
      socket.destroy();
    });
    socket.once('error', () => resolve('refused'));
  });
};

describe('a node with certificates', () => {
  const authority = new TestAuthority();
  const { ca } = authority;
  let node: TlsNode;

  beforeAll(async () => {
    node = await startNode(authority.issue('node'));
  });

  afterAll(() => node.stop());

  it('is believed by whoever knows its CA, and by nobody else', async () => {
    expect(await asks(node, { ca })).toBe('answered');
    expect((await fetchText(node, { ca })).text).toBe('hello');
    const stranger = new TestAuthority();
    expect(await asks(node, { ca: stranger.ca })).toBe('UNAVAILABLE');
    expect(await asks(node, {})).toBe('UNAVAILABLE');
    await expect(fetchText(node, { ca: stranger.ca })).rejects.toThrow();
    const elsewhere = await startNode(authority.issue('elsewhere', ['elsewhere.example.org']));
    expect(await asks(elsewhere, { ca })).toBe('UNAVAILABLE');
    await elsewhere.stop();
  });

  it('answers nothing in the clear', async () => {
    expect(await asks(node, undefined)).toBe('UNAVAILABLE');
    for (const address of [node.grpc, node.http]) {
      const [host = '', port = ''] = address.split(':');
      const received = await new Promise<number>((resolve) => {
        let bytes = 0;
        const socket = netConnect(Number(port), host);
        socket.on('data', (chunk: Buffer) => {
          bytes += chunk.toString('latin1').includes('HTTP/1.1 2') ? chunk.length : 0;
        });
        socket.on('error', () => {}).on('close', () => resolve(bytes));
        socket.end('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      });
      expect(received).toBe(0);
    }
  });

  it('speaks TLS 1.2 and 1.3, and nothing older', async () => {
    for (const address of [node.grpc, node.http]) {
      expect(await handshake(address, { ca, maxVersion: 'TLSv1.1' })).toBe('refused');
      expect(await handshake(address, { ca, maxVersion: 'TLSv1.2' })).toBe('TLSv1.2');
      expect(await handshake(address, { ca })).toBe('TLSv1.3');
    }
  });

  it('shows a renewed certificate to new connections, while those that are there go on', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const believed: ClientTls = { ca };
    const remote = remoteOf(node, () => believed);
    await remote.namespaces(aCall());
    const before = await fetchText(node, believed, agent);
    const other = new TestAuthority();
    node.tls.renew(other.issue('node'));
    // The same connections, whose certificate nobody who knows the old CA alone could believe any more in a new one.
    await remote.namespaces(aCall());
    expect((await fetchText(node, believed, agent)).serial).toBe(before.serial);
    expect(await asks(node, { ca })).toBe('UNAVAILABLE');
    await expect(fetchText(node, believed)).rejects.toThrow();
    expect(await asks(node, { ca: other.ca })).toBe('answered');
    expect((await fetchText(node, { ca: other.ca })).serial).not.toBe(before.serial);
    remote.close();
    agent.destroy();
    node.tls.renew(authority.issue('node'));
  });

  it('is asked over a new connection once its client has other certificates', async () => {
    const other = new TestAuthority();
    let tls: ClientTls = { ca: other.ca };
    const remote = remoteOf(node, () => tls);
    const call = { ...aCall(), deadlineMs: systemClock.monotonicMs() + 500 };
    await expect(remote.namespaces(call)).rejects.toMatchObject({
      code: expect.stringMatching(/UNAVAILABLE|DEADLINE/),
    });
    tls = { ca };
    await remote.namespaces(aCall());
    remote.close();
  });
});

describe('a node that asks for the certificates of its callers', () => {
  it('lets in those of its CA alone', async () => {
    const authority = new TestAuthority();
    const clients = new TestAuthority('CA of clients');
    const node = await startNode({ ...authority.issue('node'), clientCa: clients.ca });
    const { ca } = authority;
    expect(await asks(node, { ca, ...clients.issue('app') })).toBe('answered');
    expect((await fetchText(node, { ca, ...clients.issue('app') })).text).toBe('hello');
    for (const other of [
      {},
      authority.issue('app'),
      new TestAuthority('CA of clients').issue('app'),
      clients.issue('late', [], Date.now() - 1000),
    ]) {
      expect(await asks(node, { ca, ...other })).toBe('UNAVAILABLE');
      await expect(fetchText(node, { ca, ...other })).rejects.toThrow();
    }
    await node.stop();
  });
});
