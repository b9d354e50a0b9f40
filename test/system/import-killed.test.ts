import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterHandle } from '../../src/client/cluster-handle.ts';
import { meridianScript, ProcessCluster, placeOf } from './process-cluster.ts';

/** Real data: each IPv4 range that is registered, with its country. */
const source = join(
  dirname(createRequire(import.meta.url).resolve('@ip-location-db/asn-country/package.json')),
  'asn-country-ipv4.csv',
);
const rows = readFileSync(source, 'utf8').trim().split('\n');
const keys = rows.map((row) => row.slice(0, row.indexOf(',')));

interface Import {
  readonly child: ChildProcess;
  /** What it wrote to standard error so far. */
  readonly said: () => string;
  readonly ended: Promise<number | null>;
}

describe('an import of 141,822 keys', () => {
  let cluster: ProcessCluster;
  let file: string;
  let importing: Import | undefined;

  beforeEach(() => {
    cluster = new ProcessCluster();
    file = join(cluster.folder, 'asn.csv');
    writeFileSync(file, `start,end,country\n${rows.join('\n')}\n`);
  });

  afterEach(async () => {
    importing?.child.kill('SIGKILL');
    await importing?.ended;
    await cluster.close();
  });

  function startImport(endpoint: string): Import {
    const flags = ['--key-column', 'start', '--endpoint', endpoint, '--timeout', '10s', '--retry', '90s'];
    const child = spawn(process.execPath, [meridianScript, 'import', 'routes', file, ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let text = '';
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const ended = once(child, 'close').then(() => child.exitCode);
    importing = { child, said: () => text, ended };
    return importing;
  }

  /** Leading rows that the import counts as acknowledged. */
  function checkpoint(): number {
    try {
      return (JSON.parse(readFileSync(`${file}.meridian-import`, 'utf8')) as { records: number }).records;
    } catch {
      return 0; // Not written yet.
    }
  }

  async function untilAcknowledged(least: number): Promise<number> {
    for (let tries = 0; checkpoint() < least; tries++) {
      if (tries > 12_000 || importing?.child.exitCode !== null)
        throw new Error(`no ${least} rows: ${importing?.said()}`);
      await delay(5);
    }
    return checkpoint();
  }

  async function expectHeld(client: ClusterHandle, count: number): Promise<void> {
    const found = new Map<string, string>();
    for await (const { name, value } of client.namespace('routes').entries({ maxStaleness: 3600 })) {
      found.set(name, Buffer.from(value).toString());
    }
    const lost = keys.slice(0, count).filter((key) => !found.has(key));
    expect(lost).toEqual([]);
    const [first = ''] = keys;
    expect(JSON.parse(found.get(first) ?? 'null')).toMatchObject({ country: rows[0]?.split(',')[2] });
  }

  it('loses nothing acknowledged to kill -9 of the origin, goes on by itself, and goes on where it was killed', async () => {
    expect(new Set(keys).size).toBe(141_822);
    const origin = await cluster.start('origin', 'iad');
    const listen = placeOf(origin.grpc);
    const client = cluster.connect(origin);
    await client.namespaces.create('routes');

    const first = startImport(listen);
    await untilAcknowledged(keys.length / 10);
    await origin.kill();
    const acknowledged = checkpoint();
    expect(acknowledged).toBeLessThan(keys.length);
    // Stopped meanwhile: the import must not come to its end between the origin's start and what is seen of it here.
    first.child.kill('SIGSTOP');
    await cluster.start('origin', 'iad', { listen });
    first.child.kill('SIGCONT');

    await untilAcknowledged(Math.max(acknowledged + 1, keys.length / 4));
    first.child.kill('SIGKILL');
    await first.ended;
    const resumed = checkpoint();
    expect(resumed).toBeLessThan(keys.length);
    await expectHeld(client, resumed);

    const second = startImport(listen);
    expect(await second.ended, second.said()).toBe(0);
    expect(second.said()).toContain(`going on behind record ${resumed}`);
    await expectHeld(client, keys.length);
  }, 300_000);
});
