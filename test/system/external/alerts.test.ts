import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterHandle } from '../../../src/client/cluster-handle.ts';
import { freePort } from '../../support/free-port.ts';
import { ProcessCluster, placeOf } from '../process-cluster.ts';

const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0;
if (!hasPrometheus) console.warn("SKIPPED: the rules need Prometheus (Debian's prometheus)");

interface Rule {
  readonly name: string;
  readonly query: string;
  readonly health: string;
  readonly state?: string;
}

/** No certificate is used here, no token expires, and nobody is turned away. */
const onlyWhereItHappens = [
  'meridian_certificate_expiry_timestamp_seconds',
  'meridian_token_expiry_timestamp_seconds',
  'meridian_http_rejected_total',
];

describe.skipIf(!hasPrometheus)('the rules, in a Prometheus beside a running cluster', () => {
  const cluster = new ProcessCluster();
  const clients: ClusterHandle[] = [];
  let prometheus: ChildProcess | undefined;
  let base: string;

  beforeAll(async () => {
    // Origins say to each other where they are reached, which port 0 does not tell.
    const [listen, peerListen] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const one = await cluster.start('origin', 'iad', { listen });
    const two = await cluster.start('origin', 'fra', { listen: peerListen, flags: ['--peer', listen] });
    const upstream = ['--upstream', placeOf(one.grpc)];
    // It cannot keep all that is read of it, so it evicts.
    const small = ['--cache-memory', '64KiB', '--cache-disk', '256KiB'];
    const cache = await cluster.start('edge', 'sin', { flags: [...upstream, ...small] });
    const copy = await cluster.start('edge', 'gru', {
      flags: [...upstream, '--replicate', '*'],
    });
    const nodes = [one, two, cache, copy];
    clients.push(...nodes.map((node) => cluster.connect(node)));
    await clients[0]?.namespaces.create('flags');
    const targets = nodes.map(({ http }, index) => ({
      targets: [placeOf(http)],
      labels: { node: ['iad', 'fra', 'sin', 'gru'][index], role: index < 2 ? 'origin' : 'edge' },
    }));
    const jobs = [{ job_name: 'meridian', static_configs: targets }];
    const file = join(cluster.folder, 'prometheus.yml');
    const global = { scrape_interval: '1s', evaluation_interval: '1s' };
    writeFileSync(
      file,
      JSON.stringify({ global, rule_files: [resolve('deploy/prometheus/rules.yml')], scrape_configs: jobs }),
    );
    const webListen = `127.0.0.1:${await freePort()}`;
    base = `http://${webListen}`;
    const storage = join(cluster.folder, 'prometheus');
    const flags = [`--config.file=${file}`, `--storage.tsdb.path=${storage}`, `--web.listen-address=${webListen}`];
    prometheus = spawn('prometheus', flags, { stdio: 'ignore' });
  });

  afterAll(async () => {
    if (prometheus !== undefined) {
      const ended = once(prometheus, 'exit');
      prometheus.kill();
      await ended;
    }
    await cluster.close();
  });

  /** Writes of one key at both origins, one that is refused, and reads of many at the edges. */
  async function use(round: number): Promise<void> {
    const [one, two, ...edges] = clients.map((client) => client.namespace('flags'));
    await Promise.all([one?.put('same', `a${round}`), two?.put('same', `b${round}`)]);
    await one?.put('same', 'c', { ifAbsent: true }).catch(() => undefined);
    const keys = Array.from({ length: 20 }, (_, index) => `key${index + 20 * (round % 20)}`);
    await Promise.all(keys.map((key) => one?.put(key, 'v'.repeat(4000))));
    for (const edge of edges) await Promise.all(keys.map((key) => edge.get(key)));
  }

  async function found(query: string): Promise<number> {
    const answer = await fetch(`${base}/api/v1/query?query=${encodeURIComponent(query)}`);
    const { data } = (await answer.json()) as { readonly data?: { readonly result: readonly unknown[] } };
    return data?.result.length ?? 0;
  }

  async function rulesNow(): Promise<readonly Rule[]> {
    const answer = await fetch(`${base}/api/v1/rules`);
    const { data } = (await answer.json()) as { readonly data: { readonly groups: ReadonlyArray<{ rules: Rule[] }> } };
    return data.groups.flatMap((group) => group.rules);
  }

  it('are evaluated over series that are there, and nobody is woken', async () => {
    // Prometheus is a process that has just begun.
    const count = () =>
      rulesNow().then(
        ({ length }) => length,
        () => 0,
      );
    await expect.poll(count, { timeout: 60_000, interval: 200 }).toBeGreaterThan(25);
    const asked = new Set((await rulesNow()).flatMap(({ query }) => query.match(/\bmeridian_\w+/g) ?? []));
    expect(asked.size).toBeGreaterThan(20);
    let round = 0;
    const absent = async () => {
      await use(round++);
      const counts = await Promise.all([...asked].map(async (name) => ({ name, series: await found(name) })));
      return counts.flatMap(({ name, series }) => (series === 0 ? [name] : [])).sort();
    };
    await expect.poll(absent, { timeout: 120_000, interval: 200 }).toEqual([...onlyWhereItHappens].sort());
    const rules = await rulesNow();
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    expect(rules.filter(({ state }) => state === 'firing').map(({ name }) => name)).toEqual([]);
  });
});
