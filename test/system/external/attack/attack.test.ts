import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../../../src/cli/demo/child-node.ts';
import type { ClusterHandle } from '../../../../src/client/cluster-handle.ts';
import type { Namespace } from '../../../../src/client/namespace.ts';
import { ProcessCluster, placeOf } from '../../process-cluster.ts';
import { behaveWell, partWithin, percentile } from '../overload/well-behaved.ts';

/**
 * Strangers, and a caller who may see a little, at a node that asks for tokens. A short run says that none of them gets a
 * byte or leaves one, that the node lives, and that its memory is bounded; a long one also how fast others are served:
 *
 *   ATTACK_SECONDS=60 npx vitest run --project external test/system/external/attack
 *
 * ATTACK_REPORT names a file to which a line of figures is added for each attack.
 */
const seconds = Number(process.env['ATTACK_SECONDS'] ?? 4);
const isLong = seconds >= 30;
const report = process.env['ATTACK_REPORT'];

const mebibyte = 1024 * 1024;
const residentBytesMax = 1536 * mebibyte;
const adminToken = 'the-administrator-of-the-attacked-node';
/** Stands in all that nobody but the administrator may see, and in no request of theirs. */
const mark = `MARK-${randomBytes(8).toString('hex')}`;
const keys = Array.from({ length: 50 }, (_, i) => `app/small-${i}`);

const attacks = [
  'wrong, expired, revoked and foreign tokens',
  'a valid token beyond its scope',
  'oversized and malformed frames',
  '10,000 connections',
  'slow-loris on all ports',
  'floods of streams and resets',
  'a valid token that takes all it can get',
];

describe('a node that asks for tokens, attacked', () => {
  const cluster = new ProcessCluster();
  let node: ChildNode;
  let admin: ClusterHandle;
  let behaved: { readonly token: string; readonly namespace: Namespace };
  let aim: string;
  let attacker: ChildProcess | undefined;

  beforeAll(async () => {
    const file = join(cluster.folder, 'admin');
    writeFileSync(file, adminToken);
    node = await cluster.start('origin', 'iad', { flags: ['--admin-token-file', file, '--redis', '127.0.0.1:0'] });
    admin = cluster.connect(node, { token: adminToken });
    const hidden = await fill(admin, 'hidden');
    const mine = await fill(admin, 'mine');
    await admin.namespace('mine').write(keys.map((key) => ({ kind: 'put' as const, key, value: `value of ${key}` })));
    const { token, tokens } = await issueTokens(admin);
    behaved = { token, namespace: cluster.connect(node, { token }).namespace('mine') };
    const places = { grpc: placeOf(node.grpc), http: placeOf(node.http), redis: placeOf(node.redis ?? node.http) };
    aim = JSON.stringify({ ...places, mark, tokens, hidden, mine });
  });

  afterEach(() => void attacker?.kill('SIGKILL'));
  afterAll(() => cluster.close());

  it.each(attacks)(
    'gives away no byte and takes none, and serves its callers: %s',
    async (attack) => {
      const before = await stateOf(admin);
      await behaved.namespace.get(keys[0] ?? '');
      const script = resolve('test/system/external/attack/attacker.mjs');
      const env = { ...process.env, ATTACK_AIM: aim };
      attacker = spawn(process.execPath, [script, attack], { env, stdio: ['pipe', 'pipe', 'inherit'] });
      let told = '';
      attacker.stdout?.on('data', (chunk: Buffer) => {
        told += chunk.toString();
      });
      await expect.poll(() => told, { timeout: 60_000 }).toMatch(/ASKED.*UNDER WAY|UNDER WAY.*ASKED/s);
      const wishes = { forMs: seconds * 1000, token: behaved.token };
      const seen = await behaveWell({ namespace: behaved.namespace, keys }, placeOf(node.http), wishes);
      expect(attacker.exitCode).toBeNull();
      attacker.kill('SIGKILL');
      await delay(isLong ? 60_000 : 500);
      const asked = Number([...told.matchAll(/ASKED (\d+)/g)].at(-1)?.[1] ?? 0);
      const open = [...told.matchAll(/OPEN (\d+)/g)].at(-1)?.[1];
      const unauthorised = told.split('\n').filter((line) => line.startsWith('UNAUTHORISED'));
      const after = await residentBytes(node);
      const peak = Math.max(...seen.residentBytes);
      const figures = [
        attack,
        `${asked} requests${open === undefined ? '' : `, ${open} connections at once`}`,
        `${unauthorised.length} answers that gave anything away`,
        `${(100 * partWithin(seen.getMs, 1000)).toFixed(2)} % of ${seen.getMs.length} gets within 1 s`,
        `p50 ${percentile(seen.getMs, 0.5)} ms, p99 ${percentile(seen.getMs, 0.99)} ms`,
        `${Math.round(peak / mebibyte)} MiB at most`,
        `${Math.round(after / mebibyte)} MiB after`,
      ].join(' | ');
      if (report !== undefined) appendFileSync(report, `| ${figures} |\n`);
      expect(asked).toBeGreaterThan(0);
      expect(unauthorised.slice(0, 5)).toEqual([]);
      expect(await stateOf(admin)).toEqual(before);
      expect(seen.failures).toEqual([]);
      expect(peak).toBeLessThan(residentBytesMax);
      expect(after).toBeLessThan(residentBytesMax);
      if (isLong) expect(partWithin(seen.getMs, 1000)).toBeGreaterThanOrEqual(0.999);
    },
    seconds * 1000 + 180_000,
  );

  async function residentBytes({ http }: ChildNode): Promise<number> {
    const headers = { authorization: `Bearer ${adminToken}` };
    const text = await (await fetch(`http://${placeOf(http)}/metrics`, { headers })).text();
    return Number(/^process_resident_memory_bytes (\S+)/m.exec(text)?.[1]);
  }
});

/** A namespace whose secrets nobody is given a token for. Its id. */
async function fill(admin: ClusterHandle, title: string): Promise<string> {
  const { id } = await admin.namespaces.create(title);
  const secrets = ['secret/1', `secret/${mark}`, 'app', `ap/${mark}`];
  for (const key of secrets) await admin.namespace(title).put(key, `value ${mark}`, { metadata: { mark } });
  return id;
}

async function issueTokens(admin: ClusterHandle) {
  const scope = { namespace: 'mine', prefix: 'app/' } as const;
  const issue = async (name: string, options: Partial<Parameters<typeof admin.tokens.create>[0]> = {}) => {
    return (await admin.tokens.create({ name, ...scope, rights: ['read', 'list', 'write', 'watch'], ...options })).text;
  };
  const everything = {
    namespace: '*',
    prefix: '',
    rights: ['read', 'list', 'write', 'watch', 'replicate', 'admin'],
  } as const;
  const expired = await issue('expired', { ...everything, expiresIn: 1 });
  const revoked = await issue('revoked', everything);
  await admin.tokens.revoke('revoked');
  const token = await issue('behaved', { rights: ['read', 'status'] });
  const tokens = {
    ...{ scoped: await issue('scoped'), greedy: await issue('greedy', { rights: ['read'] }), expired, revoked },
    ...{ wrong: 'wrong', foreign: `mdn_${randomBytes(8).toString('hex')}_${randomBytes(32).toString('hex')}` },
  };
  await delay(1500); // Until the expired one has.
  return { token, tokens };
}

/** All that nobody but the administrator may have changed. */
async function stateOf(admin: ClusterHandle) {
  const entriesOf = async (title: string) => {
    const entries: string[] = [];
    for await (const { name } of admin.namespace(title).entries()) {
      const { value, version } = await admin.namespace(title).getWithMetadata(name);
      if (!name.startsWith('app/')) entries.push(`${name} ${version} ${value}`);
    }
    return entries;
  };
  const titles: string[] = [];
  for (const { title } of await admin.namespaces.list()) titles.push(title);
  const tokens = (await admin.tokens.list()).map(({ id, name }) => `${id} ${name}`);
  return { titles, tokens, hidden: await entriesOf('hidden'), mine: await entriesOf('mine') };
}
