import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import { freePort } from '../support/free-port.ts';
import { ProcessCluster, placeOf } from './process-cluster.ts';

/*
 * A run with tokens and values that are known, at the level that says the most: whatever nodes write on standard error and
 * into their audit logs is read for them.
 */

const adminToken = 'the-administrator-whom-no-log-names';
const value = 'a-value-that-no-log-shows';
const cluster = new ProcessCluster();

let origin: ChildNode;
let edge: ChildNode;
let app: string;
let id: string;

const logOf = (name: string) => readFileSync(join(cluster.folder, `${name}.log`), 'utf8');
const linesOf = (name: string) =>
  logOf(name)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const soon = async (isThere: () => boolean) => {
  for (let left = 200; !isThere(); left--) {
    expect(left).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

beforeAll(async () => {
  const admin = join(cluster.folder, 'admin-token');
  writeFileSync(admin, `${adminToken}\n`);
  const own = (name: string) => [
    ...['--admin-token-file', admin, '--token-file', admin, '--log-level', 'debug'],
    ...['--audit-log', join(cluster.folder, `${name}.audit.log`), '--audit-writes'],
  ];
  origin = await cluster.start('origin', 'iad', { flags: own('iad') });
  edge = await cluster.start('edge', 'fra', {
    flags: [...own('fra'), '--upstream', placeOf(origin.grpc), '--redis', `127.0.0.1:${await freePort()}`],
  });
  await cluster.ready(edge);
  const { namespaces, tokens } = cluster.connect(origin, { token: adminToken });
  ({ id } = await namespaces.create('flags'));
  app = (await tokens.create({ name: 'app', namespace: 'flags', rights: ['read', 'write', 'list'] })).text;
});

afterAll(() => cluster.close());

const http = (path: string, init: { method?: string; body?: string; token?: string; requestId?: string }) => {
  const { token = app, requestId, ...rest } = init;
  const named = requestId === undefined ? {} : { 'x-request-id': requestId };
  return fetch(`http://${placeOf(edge.http)}/client/v4/accounts/any/storage/kv/namespaces/${id}${path}`, {
    headers: { authorization: `Bearer ${token}`, ...named },
    ...rest,
  });
};

describe('the logs of a run at debug', () => {
  it('name a request by its id at every node that it reached', async () => {
    const answer = await http('/values/k', { requestId: 'order-17', method: 'PUT', body: value });
    expect([answer.status, answer.headers.get('x-request-id')]).toEqual([200, 'order-17']);
    await soon(() => logOf('iad').includes('order-17') && logOf('fra').includes('order-17'));
    const line = (name: string) => linesOf(name).find(({ requestId }) => requestId === 'order-17');
    expect([line('fra')?.['module'], line('fra')?.['surface'], line('fra')?.['status']]).toEqual(['http', 'rest', 200]);
    expect([line('iad')?.['module'], line('iad')?.['method'], line('iad')?.['code']]).toEqual(['rpc', 'KV/Put', 'OK']);
  });

  it('say what is refused and fails, and no token or value, whoever brings it', async () => {
    const stranger = `mdn_${'0'.repeat(16)}_${'9'.repeat(64)}`;
    expect((await http('/values/k', { token: stranger })).status).toBe(401);
    expect((await http(`/values/k?expiration_ttl=${value}`, { method: 'PUT', body: value })).status).toBe(400);
    expect((await http('/values/k', {})).status).toBe(200);
    const client = cluster.connect(edge, { token: app }).namespace('flags');
    await client.put('k', value, { metadata: { note: value } });
    expect(await client.get('k')).toBe(value);
    await expect(client.put('k', value, { ifAbsent: true })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    const refused = cluster.connect(edge, { token: stranger }).namespace('flags');
    await expect(refused.get('k')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(
      cluster.connect(edge, { token: app }).tokens.create({ name: 'x', rights: ['read'] }),
    ).rejects.toThrow();
    await soon(() => linesOf('fra').some(({ status }) => status === 401));
    const secrets = [adminToken, app, app.slice(21), stranger, stranger.slice(21), value];
    const texts = readdirSync(cluster.folder).filter((name) => name.endsWith('.log'));
    expect(texts.sort()).toEqual(['fra.audit.log', 'fra.log', 'iad.audit.log', 'iad.log']);
    for (const name of texts) {
      const text = readFileSync(join(cluster.folder, name), 'utf8');
      expect(text.length).toBeGreaterThan(0);
      expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
    }
  });
});
