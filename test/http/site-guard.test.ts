import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, it } from 'vitest';
import { SiteGuard } from '../../src/http/site-guard.ts';
import { ask, serveOrigin } from './workers/served-origin.ts';

const host = '127.0.0.1:8100';
const own = new SiteGuard(['kv.lan']);
const any = new SiteGuard(undefined);

function verdict(guard: SiteGuard, headers: IncomingHttpHeaders): string {
  try {
    guard.check({ headers });
    return 'taken';
  } catch (error) {
    return String((error as { details: { reason?: string } }).details.reason);
  }
}

describe('what a browser sends', () => {
  it.each<[string, IncomingHttpHeaders]>([
    ['for another site', { host, 'sec-fetch-site': 'cross-site' }],
    ['for another port of the same machine', { host, 'sec-fetch-site': 'same-site' }],
    ['for another origin, where it says no more', { host, origin: 'http://evil.example' }],
    ['for the same name at another port', { host, origin: 'http://127.0.0.1:3000' }],
    ['for a page without an origin', { host, origin: 'null' }],
  ])('%s is refused, with tokens and without', (_what, headers) => {
    expect([verdict(own, headers), verdict(any, headers)]).toEqual(['other-site', 'other-site']);
  });

  it.each<[string, IncomingHttpHeaders]>([
    ['the page itself', { host, 'sec-fetch-site': 'same-origin', origin: `http://${host}` }],
    ['whoever types the address', { host, 'sec-fetch-site': 'none', 'user-agent': 'Mozilla/5.0' }],
    ['the page over plain HTTP', { host: 'LOCALHOST:8100', origin: 'http://localhost:8100' }],
    ['the page at the port of the scheme', { host: '[::1]', origin: 'http://[::1]:80' }],
    ['the page at a name of the node', { host: 'kv.lan:8100', origin: 'http://kv.lan:8100' }],
    ['the page behind a proxy with a host of its own', { host, origin: 'https://kv', 'sec-fetch-site': 'same-origin' }],
  ])('for %s is taken', (_what, headers) => {
    expect([verdict(own, headers), verdict(any, headers)]).toEqual(['taken', 'taken']);
  });

  it.each<[string, IncomingHttpHeaders]>([
    ['an Origin', { origin: 'http://evil.example' }],
    ['a Referer', { referer: 'http://evil.example/' }],
    ['Sec-Fetch-Site', { 'sec-fetch-site': 'same-origin' }],
    ['its own name', { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64)' }],
    ['languages alone, where a script hides the rest', { 'user-agent': 'curl/8', 'accept-language': '*' }],
  ])('under a name that may be anybody’s is refused without tokens, told by %s', (_what, headers) => {
    for (const name of ['evil.example', 'localhost.evil.example:8100', '127.0.0.1.evil.example', 'kv.lan.example']) {
      const sent = { ...headers, host: name, ...(headers.origin === undefined ? {} : { origin: `http://${name}` }) };
      expect([verdict(own, sent), verdict(any, sent)]).toEqual(['host-name', 'taken']);
    }
  });
});

describe('what other programs send', () => {
  it.each<[string, IncomingHttpHeaders]>([
    ['curl', { 'user-agent': 'curl/8.5.0', accept: '*/*' }],
    ['the binding of workerd', { 'meridian-namespace': 'flags' }],
    ['fetch of Node', { 'user-agent': 'node', 'accept-language': '*', 'sec-fetch-mode': 'cors' }],
    ['python', { 'user-agent': 'python-requests/2.32', 'accept-encoding': 'gzip, deflate' }],
  ])('is taken under any name: %s', (_who, headers) => {
    expect(verdict(own, { host: 'kv.example.org', ...headers })).toBe('taken');
    expect(verdict(own, headers)).toBe('taken');
  });
});

describe('a node without tokens', () => {
  it('lets no site write through its REST API or its binding, and no name that is made to mean it read', async () => {
    const served = await serveOrigin();
    const { id } = (await served.origin.namespaces()).find(({ title }) => title === 'config') ?? { id: '' };
    const rest = `/client/v4/accounts/a/storage/kv/namespaces/${id}`;
    const form = { 'content-type': 'text/plain', origin: 'http://evil.example' };
    const bulk = { method: 'PUT', headers: form, body: '[{"key":"k","value":"evil"}]' };
    expect((await ask(served.address, `${rest}/bulk`, bulk)).status).toBe(403);
    const rebound = { host: 'evil.example', 'accept-language': 'en' };
    expect((await ask(served.address, `${rest}/values/k`, { headers: rebound })).status).toBe(403);
    const binding = { ...rebound, 'meridian-namespace': 'config' };
    expect((await ask(served.address, '/k', { method: 'PUT', headers: binding, body: 'evil' })).status).toBe(403);
    expect((await ask(served.address, `${rest}/values/k`)).status).toBe(404);
    await served.close();
  });
});
