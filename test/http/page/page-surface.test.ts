import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HttpListener } from '../../../src/http/http-listener.ts';
import type { RecordJson } from '../../../src/http/page/page-json.ts';
import { PageSurface } from '../../../src/http/page/page-surface.ts';
import { type Entrance, openEntrance } from '../../../src/model/entrance.ts';
import { limits } from '../../../src/model/limits.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { systemClock as clock } from '../../../src/runtime/system-clock.ts';
import { type GuardedOrigin, openGuardedOrigin } from '../../access/guarded-origin.ts';
import { roomsOf } from '../../rpc/loopback.ts';
import { type Answer, type Asked, ask } from '../workers/served-origin.ts';

const filesFolder = mkdtempSync(join(tmpdir(), 'meridian-page-'));
let guarded: GuardedOrigin;
const listeners: HttpListener[] = [];
let [open, closed] = ['', ''];
let namespace = '';

beforeAll(async () => {
  writeFileSync(join(filesFolder, 'index.html'), '<!doctype html>the page');
  writeFileSync(join(filesFolder, 'page.js'), 'run()');
  writeFileSync(join(filesFolder, 'notes.txt'), 'no file of the page');
  guarded = await openGuardedOrigin();
  open = await serve(openEntrance(guarded.origin), false);
  closed = await serve(guarded.gate, true);
  namespace = (await guarded.origin.create('flags')).namespace.id;
});

afterAll(async () => {
  for (const listener of listeners) await listener.stop(1000);
  await guarded.close();
  rmSync(filesFolder, { recursive: true, force: true });
});

async function serve(entrance: Entrance, asksForTokens: boolean): Promise<string> {
  const rooms = roomsOf(8 * limits.valueBytesMax);
  const surface = new PageSurface({ entrance, clock, rooms, filesFolder });
  const listener = new HttpListener({
    surfaces: [{ name: 'page', surface }],
    ...{ clock, logger: silentLogger, exchangeMs: 20_000 },
    observer: { answered: () => {}, rejected: () => {} },
    ownNames: asksForTokens ? undefined : [],
  });
  listeners.push(listener);
  return listener.start('127.0.0.1', 0);
}

const json = { 'content-type': 'application/json' };
const put = (body: object, address = open, headers: Record<string, string> = {}): Promise<Answer> =>
  ask(address, '/page/record', { method: 'PUT', headers: { ...json, ...headers }, body: JSON.stringify(body) });
const get = (path: string, address = open, asked: Asked = {}): Promise<Answer> => ask(address, path, asked);
const recordOf = ({ headers }: Answer): RecordJson => JSON.parse(String(headers['meridian-record'])) as RecordJson;
const parsed = ({ body }: Answer): { readonly [field: string]: unknown } => JSON.parse(body.toString());
const keyPath = (key: string) => `/page/record?namespace=${namespace}&key=${encodeURIComponent(key)}`;

describe('the files of the page', () => {
  it('are told to everybody, also where tokens are asked for, with a policy that lets nothing else in', async () => {
    const answer = await get('/', closed);
    expect([answer.status, answer.body.toString()]).toEqual([200, '<!doctype html>the page']);
    const policy = String(answer.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });

  it('are zipped for whoever takes that, and kept by name', async () => {
    const answer = await get('/page/files/page.js', open, { headers: { 'accept-encoding': 'br, gzip' } });
    expect(gunzipSync(answer.body).toString()).toBe('run()');
    expect(answer.headers['cache-control']).toContain('immutable');
  });

  it.each(['/page/files/notes.txt', '/page/files/..%2f..%2fpackage.json', '/page/files/', '/page/none'])(
    'are those of the build alone: %s is none',
    async (path) => {
      expect((await get(path)).status).toBe(404);
    },
  );
});

describe('what a browser is trusted with', () => {
  it('is nothing that another site has it send', async () => {
    for (const site of ['cross-site', 'same-site']) {
      const answer = await put({ namespace, key: 'k', text: '' }, open, { 'sec-fetch-site': site });
      expect([answer.status, parsed(answer)['reason']]).toEqual([403, 'other-site']);
    }
  });

  it('is no form: a body is JSON and says so', async () => {
    const answer = await put({ namespace, key: 'k', text: '' }, open, { 'content-type': 'text/plain' });
    expect([answer.status, parsed(answer)['reason']]).toEqual([400, 'content-type']);
  });

  it('is no name that somebody else may resolve to this node, where no token is asked for', async () => {
    const browser = { 'user-agent': 'Mozilla/5.0' };
    for (const host of ['evil.example', 'localhost.evil.example:8100']) {
      expect((await get('/page/namespaces', open, { headers: { ...browser, host } })).status).toBe(403);
    }
    for (const host of ['localhost:8100', '127.0.0.1', '[::1]:8100', '192.0.2.7:80']) {
      expect((await get('/page/namespaces', open, { headers: { ...browser, host } })).status).toBe(200);
    }
  });

  it('is the page itself, whoever links to it', async () => {
    const headers = { 'sec-fetch-site': 'cross-site', host: 'kv.example', 'user-agent': 'Mozilla/5.0' };
    expect((await get('/', open, { headers })).status).toBe(200);
  });
});

describe('records', () => {
  it('come with all that is known of them in one answer, as bytes that nothing runs', async () => {
    const value = '<script>alert(1)</script>';
    const metadata = '{"by":"Jörg \\u2028"}';
    const written = parsed(await put({ namespace, key: 'ключ/1', text: value, metadata, ttl: 3600 }));
    const answer = await get(keyPath('ключ/1'));
    expect(answer.body.toString()).toBe(value);
    expect(recordOf(answer)).toMatchObject({
      ...{ key: 'ключ/1', found: true, version: written['version'], position: written['position'], metadata },
      ...{ source: 'origin', valueBytes: value.length, omitted: false, expiresAt: expect.any(Number) },
    });
    expect(answer.headers['content-type']).toBe('application/octet-stream');
    expect(answer.headers['content-disposition']).toBe('attachment');
    expect(answer.headers['content-security-policy']).toContain('sandbox');
  });

  it('stay behind where they are larger than was asked for', async () => {
    await put({ namespace, key: 'large', base64: Buffer.alloc(200_000, 7).toString('base64') });
    const answer = await get(`${keyPath('large')}&bytes-max=1000`);
    expect([answer.body.length, recordOf(answer)]).toMatchObject([0, { valueBytes: 200_000, omitted: true }]);
    expect((await get(keyPath('large'))).body.length).toBe(200_000);
  });

  it('are replaced in the version that was looked at, and in no other', async () => {
    const { version } = parsed(await put({ namespace, key: 'edited', text: '1', ifVersion: 'absent' }));
    await put({ namespace, key: 'edited', text: '2' });
    const late = await put({ namespace, key: 'edited', text: '3', ifVersion: version });
    expect([late.status, parsed(late)['reason']]).toEqual([412, 'condition-not-met']);
    const gone = await ask(open, `${keyPath('edited')}&if-version=${version}`, { method: 'DELETE' });
    expect(gone.status).toBe(412);
    expect((await get(keyPath('edited'))).body.toString()).toBe('2');
  });

  it('are absent without being an error, and say of a deletion that it was one', async () => {
    expect(recordOf(await get(keyPath('never')))).toMatchObject({ found: false, valueBytes: 0 });
    expect(recordOf(await get(keyPath('never'))).version).toBeUndefined();
    await put({ namespace, key: 'brief', text: 'x' });
    await ask(open, keyPath('brief'), { method: 'DELETE' });
    const { found, version } = recordOf(await get(keyPath('brief')));
    expect([found, version]).toEqual([false, expect.stringMatching(/^[0-9a-f]{32}$/)]);
  });

  it.each([
    ['a value of neither form', { key: 'k' }],
    ['base64 that is none', { key: 'k', base64: '!!' }],
    ['half an emoji', { key: 'k', text: '\ud83d' }],
    ['metadata that is no JSON', { key: 'k', text: '', metadata: '{' }],
    ['two expiries', { key: 'k', text: '', ttl: 60, expiresAt: 4_000_000_000 }],
    ['an expiry that is no number', { key: 'k', text: '', ttl: '60' }],
    ['a version that is none', { key: 'k', text: '', ifVersion: 'v1' }],
    ['no key', { text: '' }],
  ])('are not written with %s', async (_what, body) => {
    expect((await put({ namespace, ...body })).status).toBe(400);
  });

  it('are not looked for by a key that is no UTF-8', async () => {
    expect((await get(`/page/record?namespace=${namespace}&key=%ff`)).status).toBe(400);
  });
});

describe('a token', () => {
  it('is told by title or id to whoever may use it, however many others there are', async () => {
    const info = { id: namespace, title: 'flags' };
    for (const name of [namespace, 'flags']) {
      expect(parsed(await get(`/page/namespace?name=${name}`))).toMatchObject(info);
    }
    expect((await get('/page/namespace?name=nothing')).status).toBe(404);
    expect((await get('/page/namespace')).status).toBe(400);
    const tokens = await Promise.all(
      ['flags', 'other'].map((title) => guarded.issue({ namespace: title, prefix: '', rights: ['list'] })),
    );
    const answers = await Promise.all(
      tokens.map((token) =>
        get('/page/namespace?name=flags', closed, { headers: { authorization: `Bearer ${token}` } }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 403]);
  });

  it('is asked for by all but the files', async () => {
    for (const path of ['/page/view', '/page/namespaces', keyPath('k')]) {
      expect((await get(path, closed)).status).toBe(401);
    }
  });

  it('opens what it permits, and is told why it does not open the rest', async () => {
    const authorization = `Bearer ${await guarded.issue({ namespace: 'flags', prefix: 'beta/', rights: ['read', 'list'] })}`;
    const headers = { authorization };
    await put({ namespace, key: 'beta/1', text: 'x' });
    expect((await get(keyPath('beta/1'), closed, { headers })).status).toBe(200);
    const list = `/page/keys?namespace=${namespace}&prefix=`;
    expect(parsed(await get(`${list}beta%2F`, closed, { headers }))['keys']).toHaveLength(1);
    for (const refused of [list, keyPath('alpha/1'), '/page/view', '/page/track?log=a&sequence=1']) {
      const answer = await get(refused, closed, { headers });
      expect([answer.status, parsed(answer)['code']]).toEqual([403, 'PERMISSION_DENIED']);
    }
    expect((await put({ namespace, key: 'beta/1', text: 'y' }, closed, headers)).status).toBe(403);
  });
});

describe('the view of the cluster', () => {
  it('tells of the node, of its members, and of those around it', async () => {
    const view = parsed(await get('/page/view'));
    expect(view).toMatchObject({
      node: { role: 'origin', ready: true, scopes: [{ kind: 'all' }] },
      around: [],
      members: [{ role: 'origin' }],
    });
  });

  it('tells of a tracked write, and of no other', async () => {
    const tracked = parsed(await put({ namespace, key: 'k', text: '', tracked: true }))['position'] as {
      sequence: number;
      log: string;
    };
    const path = (sequence: number) => `/page/track?log=${tracked.log}&sequence=${sequence}`;
    expect(parsed(await get(path(tracked.sequence)))).toMatchObject({ tellers: [{ arrivals: [] }] });
    expect(parsed(await get(path(tracked.sequence - 1)))).toEqual({ tellers: [] });
  });
});
