import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';

/** Those of the file that are built here. */
const nodes = ['origin', 'edge-fra', 'edge-sin', 'edge-gru'];
const buildMsMax = 900_000;

const composes = ['docker-compose', 'docker compose'].map((words) => words.split(' '));
const compose = composes.find(([command = '', ...words]) => spawnSync(command, [...words, 'version']).status === 0);
const hasEngine = compose !== undefined && spawnSync('docker', ['info']).status === 0;
if (!hasEngine) console.warn('SKIPPED: the cluster in containers needs a Docker engine and docker-compose');

describe.skipIf(!hasEngine)('the cluster of docker-compose.yml', () => {
  const folder = mkdtempSync(join(tmpdir(), 'meridian-compose-'));
  const file = join(folder, 'docker-compose.yml');
  const project = `meridian-test-${process.pid}`;

  function run(...words: string[]) {
    const [command = '', ...first] = compose ?? [];
    return spawnSync(command, [...first, '-p', project, '-f', file, ...words], {
      encoding: 'utf8',
      timeout: buildMsMax,
      env: { MERIDIAN_BUILD_NETWORK: 'host', ...process.env },
    });
  }

  function done(...words: string[]): string {
    const { status, stdout, stderr } = run(...words);
    expect(status, `${words.join(' ')}\n${stdout}${stderr}`).toBe(0);
    return stdout;
  }

  /** `meridian status --json` in the origin's container, or nothing while that does not answer. */
  function statusOfAll(): { readonly ready?: boolean; readonly members?: ReadonlyArray<Record<string, unknown>> } {
    const { status, stdout } = run('exec', '-T', 'origin', 'meridian', 'status', '--json');
    return status === 0 ? JSON.parse(stdout) : {};
  }

  beforeAll(() => {
    // The same services from another folder, without ports on this machine, which something else may hold.
    const content = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true });
    for (const service of Object.values<Record<string, unknown>>(content.services)) {
      delete service['ports'];
      if (service['build'] !== undefined) service['build'] = { ...(service['build'] as object), context: resolve('.') };
      const volumes = (service['volumes'] ?? []) as readonly string[];
      service['volumes'] = volumes.map((volume) => volume.replace(/^\.\//, `${resolve('.')}/`));
    }
    writeFileSync(file, stringify(content, { aliasDuplicateObjects: false }));
    // Grafana shows what Prometheus has, and checks nothing.
    done('up', '-d', '--build', ...nodes, 'prometheus');
  }, buildMsMax);

  afterAll(() => {
    run('down', '--volumes', '--timeout', '5');
    rmSync(folder, { recursive: true });
  }, buildMsMax);

  it('shows each of its nodes, ready, in the status that its origin gives of the cluster', async () => {
    const seen = () => {
      const { ready, members = [] } = statusOfAll();
      const rows = members.map((member) => [
        member['name'],
        member['ready'] ? 'ready' : (member['error'] ?? 'not ready'),
      ]);
      return { origin: ready === true ? 'ready' : 'not ready', ...Object.fromEntries(rows) };
    };
    const all = { origin: 'ready', fra: 'ready', sin: 'ready', gru: 'ready' };
    await expect.poll(seen, { timeout: 120_000, interval: 2000 }).toEqual(all);
  });

  it('reads at each edge what is written at the origin', async () => {
    done('exec', '-T', 'origin', 'meridian', 'namespace', 'create', 'flags');
    done('exec', '-T', 'origin', 'meridian', 'put', 'flags', 'beta', 'on');
    for (const edge of nodes.slice(1)) {
      const read = () => run('exec', '-T', edge, 'meridian', 'get', 'flags', 'beta').stdout;
      await expect.poll(read, { timeout: 30_000, interval: 1000 }).toBe('on');
    }
  });

  it('is scraped by its Prometheus, every node of it', async () => {
    const source = `fetch('http://prometheus:9090/api/v1/targets').then((answer) => answer.text()).then(console.log)`;
    const targets = () => {
      const { status, stdout } = run('exec', '-T', 'origin', 'node', '-e', source);
      if (status !== 0) return {};
      const active: Array<{ readonly scrapeUrl: string; readonly health: string; readonly lastError: string }> =
        JSON.parse(stdout).data.activeTargets;
      return Object.fromEntries(
        active.map(({ scrapeUrl, health, lastError }) => [new URL(scrapeUrl).hostname, lastError || health]),
      );
    };
    const up = Object.fromEntries(nodes.map((node) => [node, 'up']));
    await expect.poll(targets, { timeout: 60_000, interval: 1000 }).toEqual(up);
  });

  it('is found healthy by its own checks, which start no Node.js', async () => {
    const health = () => {
      const ids = done('ps', '-q', ...nodes)
        .trim()
        .split('\n');
      return ids
        .map((id) => spawnSync('docker', ['inspect', '-f', '{{.State.Health.Status}}', id], { encoding: 'utf8' }))
        .map(({ stdout }) => stdout.trim());
    };
    await expect.poll(health, { timeout: 60_000, interval: 1000 }).toEqual(nodes.map(() => 'healthy'));
    // What comes before is in the shell, and ends it where there is an answer in the clear.
    expect(readFileSync('deploy/Dockerfile', 'utf8')).toMatch(/"exec 3<>[^\n]*exec test \$status == 200; exec node/);
  });
});
