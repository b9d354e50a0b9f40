import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import { isMeridianError } from '../../src/model/errors.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { freePort } from '../support/free-port.ts';
import { meridianScript, ProcessCluster, placeOf } from './process-cluster.ts';

const keys = Array.from({ length: 400 }, (_, i) => `key ${String(i).padStart(3, '0')}`);
const textOf = (key: string) => `value of ${key} `.repeat(20);

describe('an origin whose data was damaged while it was stopped', () => {
  let cluster: ProcessCluster;
  let store: string;

  beforeEach(async () => {
    cluster = new ProcessCluster();
    store = join(cluster.folder, 'iad/store');
    const origin = await cluster.start('origin', 'iad');
    const client = cluster.connect(origin);
    await client.namespaces.create('kept');
    // In several commits: what is put in one turn is one.
    for (let at = 0; at < keys.length; at += 40) {
      await Promise.all(keys.slice(at, at + 40).map((key) => client.namespace('kept').put(key, textOf(key))));
    }
    await origin.kill();
  });

  afterEach(() => cluster.close());

  function zeroIn(ending: string, fraction: number, bytes: number): void {
    const name = readdirSync(store).find((each) => each.endsWith(ending)) ?? `none of ${ending}`;
    const file = join(store, name);
    const content = readFileSync(file);
    const at = Math.floor(content.length * fraction);
    writeFileSync(file, content.fill(0, at, at + bytes));
  }

  const run = (...words: string[]) =>
    spawnSync(process.execPath, [meridianScript, ...words], { encoding: 'utf8', timeout: 60_000 });
  const start = (...flags: string[]) =>
    run('origin', '--data', join(cluster.folder, 'iad'), '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0', ...flags);

  it('refuses to start without the writes that its log lost, names the ways on, and goes on once that is accepted', async () => {
    zeroIn('.log', 0.5, 100);
    const refused = start();
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/DATA_LOSS: .*commits \d+ to \d+ are missing.*check --salvage.*--accept-loss/);
    const checked = run('check', '--data', join(cluster.folder, 'iad'), '--salvage', join(cluster.folder, 'saved'));
    expect(checked.status).toBe(1);
    expect(checked.stdout).toMatch(/missing: acknowledged commits[\s\S]*saved \d+ records/);
    expect(start().status).toBe(1);
    const again = cluster.connect(await cluster.start('origin', 'iad', { flags: ['--accept-loss'] }));
    const first = keys[0] ?? '';
    const found = await again.namespace('kept').get(first);
    expect([null, textOf(first)]).toContain(found);
  });

  /** The keys that it says DATA_LOSS of; it has the value of all others. */
  async function lostAt(node: ChildNode): Promise<readonly string[]> {
    const client = cluster.connect(node);
    const lost: string[] = [];
    for (const key of keys) {
      const found = await client
        .namespace('kept')
        .get(key)
        .catch((error: unknown) => {
          expect(isMeridianError(error, 'DATA_LOSS'), `${key}: ${error}`).toBe(true);
          lost.push(key);
          return textOf(key);
        });
      expect(found).toBe(textOf(key));
    }
    return lost;
  }

  it('starts where blocks of a table are zeros, answers all other keys, and says DATA_LOSS of the lost ones', async () => {
    await (await cluster.start('origin', 'iad')).kill(); // Its log becomes a table.
    zeroIn('.ldb', 0.7, 512);
    const origin = await cluster.start('origin', 'iad');
    const lost = await lostAt(origin);
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.length).toBeLessThan(60);
    // So do new edges, which get past them, and the relay's edge.
    const flags = (upstream: ChildNode) => ['--upstream', placeOf(upstream.grpc)];
    const copy = await cluster.start('edge', 'fra', { flags: [...flags(origin), '--replicate', '*'] });
    const below = await cluster.start('edge', 'ams', { flags: [...flags(copy), '--replicate', '*'] });
    const cache = await cluster.start('edge', 'sin', { flags: flags(origin) });
    for (const edge of [copy, below, cache]) {
      await cluster.ready(edge);
      expect(await lostAt(edge)).toEqual(lost);
    }
    for (const key of lost) await cluster.connect(below).namespace('kept').put(key, textOf(key));
    for (const node of [origin, copy, below, cache]) {
      await vi.waitFor(async () => expect(await lostAt(node)).toEqual([]), 20_000);
    }
  }, 120_000);

  /** Flips a bit of each row of the registry that says something of what. */
  async function damageRegistry(of: string, what: string): Promise<void> {
    const raw = new ClassicLevel<string, Buffer>(join(cluster.folder, of, 'store'), { valueEncoding: 'buffer' });
    const registry = `r${registryNamespace}${what}`;
    for await (const [key, row] of raw.iterator({ gte: registry, lt: `${registry}\u{10ffff}` })) {
      row[10] = (row[10] ?? 0) ^ 1;
      await raw.put(key, row);
    }
    await raw.close();
  }

  it('refuses to start alone without a record of its registry, names the ways on, and goes on once that is accepted', async () => {
    await (await cluster.start('origin', 'iad')).kill();
    await damageRegistry('iad', 'title/kept');
    const refused = start();
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(
      /DATA_LOSS: 1 records of the registry.*"title\/kept".*check --salvage.*--accept-loss/,
    );
    const again = cluster.connect(await cluster.start('origin', 'iad', { flags: ['--accept-loss'] }));
    expect((await again.namespaces.list()).map(({ title }) => title)).toEqual(['kept']);
    expect(await again.namespace('kept').get('key 001')).toBe(textOf('key 001'));
  });

  it('has its registry back from a peer', async () => {
    const first = await cluster.start('origin', 'iad');
    const pdx = { listen: `127.0.0.1:${await freePort()}`, flags: ['--peer', placeOf(first.grpc)] };
    const second = await cluster.start('origin', 'pdx', pdx);
    await cluster.ready(second);
    // The newest of its own registry comes to the other one first: what nobody else has nobody gives back.
    const covered = async (node: ChildNode) =>
      ((await (await fetch(`http://${placeOf(node.http)}/status`)).json()) as { scopes: [{ covered: object }] })
        .scopes[0].covered;
    for (let alike = 0; alike < 5; await delay(200)) {
      const [a, b] = [await covered(first), await covered(second)];
      alike = isDeepStrictEqual(a, b) ? alike + 1 : 0;
    }
    await second.stop();
    await damageRegistry('pdx', '');
    const again = await cluster.start('origin', 'pdx', pdx);
    expect(await cluster.connect(again).namespace('kept').get('key 001')).toBe(textOf('key 001'));
    expect((await cluster.connect(again).namespaces.list()).map(({ title }) => title)).toEqual(['kept']);
  });
});
