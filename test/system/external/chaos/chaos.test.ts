import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterHandle } from '../../../../src/client/cluster-handle.ts';
import type { ScopeDigest } from '../../../../src/model/cluster.ts';
import { formatVector } from '../../../../src/model/version-vector.ts';
import { SeededRandom } from '../../../support/seeded-random.ts';
import { ChaosCluster, type Plan } from './chaos-cluster.ts';
import { ChaosJudge } from './chaos-judge.ts';
import { ChaosUser, logOf, type Seen, type Tally } from './chaos-load.ts';
import { DiskFaults, statusOf } from './disk-faults.ts';

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
const names = plans.map(({ name }) => name);
const copies = [...origins, ...relays, 'e1'];

describe.skipIf(seconds === 0)(
  `three origins, two relays and four edges under kills, cuts and disks put back or copied for ${seconds} s (seed ${seed})`,
  () => {
    const random = new SeededRandom(seed);
    let cluster: ChaosCluster;
    const direct = new Map<string, ClusterHandle>();

    beforeEach(async () => {
      cluster = new ChaosCluster(random.fork());
      await cluster.start(plans);
      const handle = ask('o1');
      await handle.namespaces.create('chaos');
      await expect.poll(() => everyReady(), { timeout: 60_000, interval: 200 }).toBe(true);
    }, 120_000);

    afterEach(async () => {
      for (const handle of direct.values()) handle.close();
      direct.clear();
      await cluster.close();
    });

    function ask(name: string): ClusterHandle {
      const handle = direct.get(name) ?? cluster.connect(name, 10_000);
      direct.set(name, handle);
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

    it('loses no acknowledged write that was not on that disk alone, breaks no session, and ends with the same everywhere', {
      timeout: seconds * 1000 + 420_000,
    }, async () => {
      const tally: Tally = { written: 0, refused: 0, read: 0, unread: 0, reasons: new Map() };
      const users = Array.from({ length: 6 }, (_, i) => new ChaosUser(cluster, random.fork(), `u${i}`, tally));
      const disks = new DiskFaults(cluster, random.fork(), origins);
      const broken = new Set<string>();
      const endsAt = Date.now() + seconds * 1000;
      const over = () => Date.now() >= endsAt;
      const counts = { kills: 0, cuts: 0 };
      const breaking = [breakThings(over, broken, disks, counts), disks.run(over, broken), disks.watch(over)];
      await Promise.all([...users.map((user) => user.run(over)), ...breaking]);

      await expect.poll(() => unsettled(), { timeout: 180_000, interval: 1000 }).toEqual([]);
      const judge = new ChaosJudge(disks.losses, await membersOfLogs(disks));
      const seen = [...users.map((user) => user.seen), disks.written];
      const exempted = seen.reduce((sum, of) => sum + judge.exempted(of), 0);
      const anew = origins.reduce(
        (sum, name) => sum + cluster.logged(name, 'this origin puts its store aside and begins anew'),
        0,
      );
      console.log(
        `seed ${seed}:`,
        JSON.stringify({ ...tally, reasons: Object.fromEntries(tally.reasons) }),
        JSON.stringify({ ...counts, ...disks.counts, begunAnew: anew, mayBeGone: exempted }),
        ['', ...disks.story].join('\n'),
      );

      expect(tally.written).toBeGreaterThan(seconds);
      await expect.poll(() => digestsAlike(), { timeout: 120_000, interval: 1000 }).toEqual([]);
      expect(disks.violations).toEqual([]);
      expect(users.flatMap(({ violations }) => violations)).toEqual([]);
      expect(seen.flatMap((of) => judge.violations(of))).toEqual([]);
      await checkEnd(judge, seen);
      for (const user of users) await checkSession(user);
      for (const name of cluster.names) expect(await auditDifferences(name), `audit of ${name}`).toBe(0);
    });

    /** One fault after another, each mended after a while; everything is mended at the end. */
    async function breakThings(
      over: () => boolean,
      broken: Set<string>,
      disks: DiskFaults,
      counts: { kills: number; cuts: number },
    ): Promise<void> {
      const mending: Array<Promise<void>> = [];
      const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
      while (!over()) {
        await sleep(random.between(200, 1200));
        const name = random.pick(names);
        if (broken.has(name) || broken.size > 4) continue;
        // Most of the time, so that the origin whose disk it was finds the others.
        if (disks.underWay && origins.includes(name) && random.chance(0.75)) continue;
        broken.add(name);
        const kills = random.chance(0.5);
        counts[kills ? 'kills' : 'cuts']++;
        const mend = async () => {
          if (kills) await cluster.kill(name);
          else cluster.cut(name);
          await sleep(random.between(100, 3000));
          if (kills) await cluster.open(name);
          else cluster.mend(name);
          broken.delete(name);
        };
        mending.push(mend());
      }
      await Promise.all(mending);
    }

    /** What is not at rest: who is not ready, logs that are not sealed, and vectors with components of logs that are. */
    async function unsettled(): Promise<string[]> {
      const statuses = await Promise.all(names.map(async (name) => ({ name, status: await statusOf(cluster, name) })));
      const current = new Set<string>(
        statuses.flatMap(({ status }) => (status?.log === undefined ? [] : [status.log])),
      );
      const wrong = statuses.flatMap(({ name, status }) => {
        if (status === undefined) return [`${name} does not answer`];
        const { ready, unsealed = [], scopes, notes } = status;
        const folded = scopes.flatMap(({ covered, stable }) => [...Object.keys(covered), ...Object.keys(stable)]);
        return [
          ...(ready ? [] : [`${name} is not ready: ${notes.join('; ')}`]),
          ...unsealed.map(({ log, waitsFor }) => `${name}: ${log} waits for ${waitsFor.join(', ')}`),
          ...[...new Set(folded)].filter((log) => !current.has(log)).map((log) => `${name} has a component of ${log}`),
        ];
      });
      return [
        ...wrong,
        ...(current.size === origins.length ? await unsealedAnywhere(current) : ['not every origin is up']),
      ];
    }

    /** Logs of which some origin does not know the end, but for those that are written in. */
    async function unsealedAnywhere(current: ReadonlySet<string>): Promise<string[]> {
      const told = await Promise.all(
        origins.map(async (name) => {
          const members = await ask(name).members();
          const logs = members.flatMap((member) => member.logs ?? []);
          const open = logs.filter(({ log, final }) => final === undefined && !current.has(log));
          return open.map(({ log }) => `${name} knows no end of ${log}`);
        }),
      );
      return told.flat();
    }

    async function membersOfLogs(disks: DiskFaults): Promise<Map<string, string>> {
      const known = new Map<string, string>();
      for (const { written } of disks.written)
        if (written !== undefined) known.set(logOf(written.version), written.member);
      for (const name of origins) {
        for (const { id, logs = [] } of await ask(name).members()) for (const { log } of logs) known.set(log, id);
      }
      return known;
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

    /** Every node shows the same of each key, and nothing older than what was acknowledged and not lost. */
    async function checkEnd(judge: ChaosJudge, users: ReadonlyArray<readonly Seen[]>): Promise<void> {
      const wrong: string[] = [];
      const first = new Map<string, string | null>();
      for (const name of names) {
        const namespace = ask(name).namespace('chaos');
        for (const seen of users) {
          for (const key of new Set(seen.map((one) => one.key))) {
            const { version } = await namespace.getWithMetadata(key, { maxStaleness: 5 });
            if (!first.has(key)) first.set(key, version);
            if (first.get(key) !== version) wrong.push(`${name} shows ${version} of ${key}, not ${first.get(key)}`);
            const lost = judge.wrongInTheEnd(seen, key, version);
            if (lost !== undefined) wrong.push(`${name}: ${lost}`);
          }
        }
      }
      expect(wrong).toEqual([]);
    }

    /** What a session learnt of logs that lost their end hinders nobody. */
    async function checkSession(user: ChaosUser): Promise<void> {
      for (const name of names) {
        const handle = ask(name);
        handle.session.import(user.session);
        for (const key of user.keys) await handle.namespace('chaos').getWithMetadata(key);
      }
    }

    async function auditDifferences(name: string): Promise<number> {
      const text = await (await fetch(`${cluster.httpOf(name)}/metrics`)).text();
      const lines = text.split('\n').filter((line) => /^meridian_audit_differences_total/.test(line));
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    }
  },
);
