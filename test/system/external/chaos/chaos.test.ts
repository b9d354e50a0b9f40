import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterHandle } from '../../../../src/client/cluster-handle.ts';
import type { ScopeDigest } from '../../../../src/model/cluster.ts';
import { formatVector } from '../../../../src/model/version-vector.ts';
import { SeededRandom } from '../../../support/seeded-random.ts';
import { ChaosCluster, type Plan } from './chaos-cluster.ts';
import { ChaosUser, type Tally } from './chaos-load.ts';

/** Seconds of load and faults; `npm run chaos` runs five minutes. Unset = skipped: it takes as long as it is told to. */
const seconds = Number(process.env['CHAOS_SECONDS'] ?? 0);
const seed = Number(process.env['CHAOS_SEED'] ?? Math.floor(Math.random() * 1_000_000));
const origins = ['o1', 'o2', 'o3'];
const relays = ['r1', 'r2'];

const plans: readonly Plan[] = [
  { name: 'o1', role: 'origin', knows: [] },
  { name: 'o2', role: 'origin', knows: ['o1'] },
  { name: 'o3', role: 'origin', knows: ['o1'] },
  { name: 'r1', role: 'edge', knows: ['o1', 'o2', 'o3'], replicate: '*' },
  { name: 'r2', role: 'edge', knows: ['o3', 'o2', 'o1'], replicate: '*' },
  { name: 'e1', role: 'edge', knows: ['r1', 'r2'], replicate: '*' },
  { name: 'e2', role: 'edge', knows: ['r2', 'r1'] },
  { name: 'e3', role: 'edge', knows: ['o2', 'r1'], replicate: 'chaos/u1*' },
  { name: 'e4', role: 'edge', knows: ['o1', 'o2', 'o3'] },
];
const copies = [...origins, ...relays, 'e1'];

describe.skipIf(seconds === 0)(
  `three origins, two relays and four edges under kills and cuts for ${seconds} s (seed ${seed})`,
  () => {
    const random = new SeededRandom(seed);
    let cluster: ChaosCluster;
    const direct: ClusterHandle[] = [];

    beforeEach(async () => {
      cluster = new ChaosCluster();
      await cluster.start(plans);
      const handle = ask('o1');
      await handle.namespaces.create('chaos');
      await expect.poll(() => everyReady(), { timeout: 60_000, interval: 200 }).toBe(true);
    }, 120_000);

    afterEach(async () => {
      for (const handle of direct.splice(0)) handle.close();
      await cluster.close();
    });

    function ask(name: string): ClusterHandle {
      const handle = cluster.connect(name, 10_000);
      direct.push(handle);
      return handle;
    }

    async function everyReady(): Promise<boolean> {
      const all = await Promise.all(
        cluster.names.map((name) =>
          fetch(`${cluster.httpOf(name)}/readyz`).then(
            ({ status }) => status === 200,
            () => false,
          ),
        ),
      );
      return all.every(Boolean);
    }

    it('loses no acknowledged write, breaks no session, and ends with the same everywhere', {
      timeout: seconds * 1000 + 240_000,
    }, async () => {
      const tally: Tally = { written: 0, refused: 0, read: 0, unread: 0 };
      const users = Array.from({ length: 6 }, (_, i) => new ChaosUser(cluster, random.fork(), `u${i}`, tally));
      const endsAt = Date.now() + seconds * 1000;
      const over = () => Date.now() >= endsAt;
      const faults = await Promise.all([...users.map((user) => user.run(over)), breakThings(over)]);
      console.log(`seed ${seed}:`, JSON.stringify(tally), JSON.stringify(faults.at(-1)));

      expect(users.flatMap(({ violations }) => violations)).toEqual([]);
      expect(tally.written).toBeGreaterThan(seconds);
      await expect.poll(() => digestsAlike(), { timeout: 120_000, interval: 1000 }).toEqual([]);
      for (const name of cluster.names) await checkAcknowledged(name, users);
      for (const name of cluster.names) expect(await auditDifferences(name), `audit of ${name}`).toBe(0);
    });

    /** One fault after another, each mended after a while; everything is mended at the end. */
    async function breakThings(over: () => boolean): Promise<Record<string, number>> {
      const counts: Record<string, number> = { kills: 0, cuts: 0 };
      const mending: Array<Promise<void>> = [];
      const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
      const broken = new Set<string>();
      while (!over()) {
        await sleep(random.between(200, 1200));
        const name = random.pick(cluster.names);
        if (broken.has(name) || broken.size > 4) continue;
        broken.add(name);
        const kills = random.chance(0.5);
        counts[kills ? 'kills' : 'cuts'] = (counts[kills ? 'kills' : 'cuts'] ?? 0) + 1;
        const mend = async () => {
          if (kills) await cluster.kill(name);
          else cluster.cut(name, random);
          await sleep(random.between(100, 3000));
          if (kills) await cluster.open(name);
          else cluster.mend(name);
          broken.delete(name);
        };
        mending.push(mend());
      }
      await Promise.all(mending);
      return counts;
    }

    /** What is not alike; empty where all hold the same. */
    async function digestsAlike(): Promise<string[]> {
      const second = Math.floor(Date.now() / 1000);
      const told = await Promise.all(
        copies.map(async (name): Promise<string> => {
          const handle = cluster.connect(name, 10_000);
          try {
            const [only] = (await handle.digest({ second })) as readonly ScopeDigest[];
            return only === undefined ? `${name}: nothing` : `${only.digest} ${formatVector(only.vector)}`;
          } catch (error) {
            return `${name}: ${(error as Error).message}`;
          } finally {
            handle.close();
          }
        }),
      );
      return new Set(told).size === 1 ? [] : told.map((text, index) => `${copies[index]} ${text}`);
    }

    async function checkAcknowledged(name: string, users: readonly ChaosUser[]): Promise<void> {
      const namespace = ask(name).namespace('chaos');
      const lost: string[] = [];
      for (const { acknowledged } of users) {
        for (const [key, version] of acknowledged) {
          const shown = await namespace.getWithMetadata(key, { maxStaleness: 5 });
          if ((shown.version ?? '') < version) lost.push(`${key} at ${version}, shows ${shown.version}`);
        }
      }
      expect(lost, name).toEqual([]);
    }

    async function auditDifferences(name: string): Promise<number> {
      const text = await (await fetch(`${cluster.httpOf(name)}/metrics`)).text();
      const lines = text.split('\n').filter((line) => /^meridian_audit_differences_total/.test(line));
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    }
  },
);
