import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import type { TlsOptions } from '../../src/client/tls-options.ts';
import type { RunningNode } from '../../src/node/running-node.ts';
import { TestAuthority } from '../cli/ca/test-authority.ts';
import { freePort } from '../support/free-port.ts';
import { TlsCluster } from './tls-cluster.ts';

const cluster = new TlsCluster();
const others = new TestAuthority('CA of others');
let mutual: RunningNode;
let clear: RunningNode;

beforeAll(async () => {
  mutual = await cluster.start('origin', 'mutual', { 'certificate-rights': ['app=admin'] });
  const without = { 'tls-cert': undefined, 'tls-key': undefined, 'tls-ca': undefined, 'tls-client-ca': undefined };
  clear = await cluster.start('origin', 'clear', without);
});

afterAll(() => cluster.close());

async function failureAt(endpoint: string, tls?: TlsOptions): Promise<string> {
  const handle = connect({ endpoints: [endpoint], timeoutMs: 3000, ...(tls === undefined ? {} : { tls }) });
  try {
    await handle.namespaces.list();
    return 'none';
  } catch (error) {
    return (error as Error).message;
  } finally {
    handle.close();
  }
}

describe('a connection with TLS that fails says what to look at', () => {
  const { authority } = cluster;
  const ca = authority.ca;

  it.each<[string, () => TlsOptions, string]>([
    ['the CA is another one', () => ({ ...authority.issue('app'), ca: others.ca }), '--tls-ca must hold the CA'],
    ['this side brings no certificate', () => ({ ca }), 'it asks for a certificate of this side'],
    ['that is of another CA', () => ({ ca, ...others.issue('app') }), 'ended the connection as soon as it was made'],
    [
      'that has expired',
      () => ({ ca, ...authority.issue('app', [], Date.now() - 1000) }),
      'ended the connection as soon as it was made',
    ],
  ])('%s', async (_what, tls, words) => {
    const message = await failureAt(mutual.grpcAddress, tls());
    expect(message).toContain(mutual.grpcAddress);
    expect(message).toContain(words);
    expect(message).not.toMatch(/error:|SSL|routines|alert/);
  });

  it('where this side speaks none', async () => {
    expect(await failureAt(mutual.grpcAddress)).toContain('as soon as it was made');
  });

  it('where the node speaks none', async () => {
    expect(await failureAt(clear.grpcAddress, { ca })).toContain('it speaks no TLS at that port');
  });

  it('where its certificate is for others', async () => {
    const own = authority.issue('far', ['far.example']);
    const far = await cluster.start('origin', 'far', {
      'tls-cert': cluster.file('far.example.cert', own.cert),
      'tls-key': cluster.file('far.example.key', own.key),
    });
    expect(await failureAt(far.grpcAddress, cluster.tlsOf('app'))).toContain('its certificate is for other names');
  });
});

describe('an edge whose upstream fails', () => {
  it.each<[string, () => Promise<string>, { readonly 'tls-ca'?: Buffer }, string]>([
    ['is away', async () => `127.0.0.1:${await freePort()}`, {}, 'connect ECONNREFUSED'],
    ['has no name', async () => 'nowhere.invalid:7100', {}, 'its name is not known'],
    ['is not trusted', async () => mutual.grpcAddress, { 'tls-ca': others.ca }, '--tls-ca must hold the CA'],
  ])('because it %s names it to no caller', async (what, place, tls, words) => {
    const upstream: string = await place();
    const { 'tls-ca': other } = tls;
    const ca = other === undefined ? {} : { 'tls-ca': cluster.file('other-ca', other) };
    const edge = await cluster.start('edge', `edge ${what}`, {
      ...{ upstream: [upstream], 'certificate-rights': ['app=admin'], 'request-timeout': '3s', ...ca },
    });
    const message = await failureAt(edge.grpcAddress, cluster.tlsOf('app'));
    expect(message).toContain('the upstream of this edge: ');
    expect(message).toContain(words);
    for (const part of [upstream, upstream.split(':')[1] ?? '', 'nowhere']) expect(message).not.toContain(part);
    await edge.stop();
  });
});
