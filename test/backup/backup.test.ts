import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Manifest, readManifests, readUnfinished } from '../../src/backup/manifest.ts';
import { prune } from '../../src/backup/prune.ts';
import { type TakeOptions, takeBackup } from '../../src/backup/take-backup.ts';
import { verifyBackups } from '../../src/backup/verify.ts';
import { MeridianError } from '../../src/model/errors.ts';
import type { Feed, FeedEvent } from '../../src/model/feed.ts';
import { emptySession } from '../../src/model/session.ts';
import { openBackupTarget, restoreBackup } from '../../src/node/backups.ts';
import { OriginFolder } from '../../src/node/origin-stores.ts';
import { silentOriginObserver } from '../../src/origin/observer.ts';
import { Origin } from '../../src/origin/origin.ts';
import { originDefaults } from '../../src/origin/origin-options.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { FakeClock } from '../edge/fake-clock.ts';
import { aCall, openOrigin } from '../rpc/loopback.ts';
import { MemoryTarget } from './memory-target.ts';
import { S3Server } from './s3-server.ts';

const neverStopped = new AbortController().signal;
const outside = { clock: systemClock, random: systemRandom, logger: silentLogger };

describe('a backup of an origin', () => {
  let origin: Origin;
  let target: MemoryTarget;
  let folder: string;
  let closing: Array<() => Promise<void>>;

  beforeEach(async () => {
    const backedUp = await openOrigin();
    origin = backedUp.origin;
    closing = [backedUp.close];
    target = new MemoryTarget();
    folder = await mkdtemp(join(tmpdir(), 'meridian-backup-'));
    await origin.create('ns');
  });

  afterEach(async () => {
    for (const close of closing.reverse()) await close();
    await rm(folder, { recursive: true, force: true });
  });

  const take = (more: Partial<TakeOptions> = {}): Promise<Manifest> =>
    takeBackup({ feed: origin, target, ...outside, signal: neverStopped, whole: false, received: () => {}, ...more });

  const put = (key: string, value: string | Uint8Array, at = origin) =>
    at.write(
      { namespace: 'ns', mutations: [{ kind: 'put', key, value: Buffer.from(value) }], session: emptySession },
      aCall(),
    );

  const remove = (key: string) =>
    origin.write({ namespace: 'ns', mutations: [{ kind: 'delete', key }], session: emptySession }, aCall());

  async function restored(atMs?: number): Promise<Origin> {
    const data = join(folder, `restored-${closing.length}`);
    await restoreBackup({ target, data, atMs, outside, received: () => {} });
    return opened(data);
  }

  async function opened(data: string): Promise<Origin> {
    const stores = await OriginFolder.open(data);
    closing.push(() => stores.close());
    const restoredOrigin = await Origin.open({
      ...originDefaults,
      ...outside,
      stores,
      observer: silentReplicationObserver,
      originObserver: silentOriginObserver,
      name: 'restored',
      region: 'here',
      version: '0.0.0',
      durability: 'local',
    });
    closing.push(() => restoredOrigin.close());
    return restoredOrigin;
  }

  async function holds(at: Origin): Promise<Record<string, string>> {
    const { keys } = await at.list({ namespace: 'ns', prefix: '', limit: 1000, session: emptySession }, aCall());
    const found: Record<string, string> = {};
    for (const { key } of keys) {
      const { record } = await at.get({ namespace: 'ns', key, session: emptySession }, aCall());
      if (record?.kind === 'live') found[key] = `${record.stamp} ${Buffer.from(record.value).toString()}`;
    }
    return found;
  }

  it('is one of thousands, as of a schedule of a minute, and pruned and looked for in no time', async () => {
    await put('a', '1');
    const first = await take();
    let [last, reads, readsMax] = [first, 0, 0];
    for (let n = 1; n < 3000; n++) {
      const id = `${first.id}-${String(n).padStart(4, '0')}`;
      last = { ...first, id, base: last.id, takenMs: first.takenMs + n, records: 0, parts: [] };
      target.files.set(`${id}/manifest.json`, Buffer.from(JSON.stringify(last)));
    }
    const read = target.read.bind(target);
    target.read = async (name) => {
      readsMax = Math.max(readsMax, ++reads);
      await new Promise(setImmediate);
      reads--;
      return read(name);
    };
    const beganMs = performance.now();
    expect(await prune(target, 3_600_000, systemClock)).toEqual([]);
    expect((await take()).base).toBe(last.id);
    expect(performance.now() - beganMs).toBeLessThan(5_000);
    expect(readsMax).toBe(16);
  });

  it('is taken, and pruned, beside those that another cluster keeps in a folder below', async () => {
    await put('a', '1');
    const below = new MemoryTarget();
    await take({ target: below });
    for (const [name, bytes] of below.files) target.files.set(`eu/${name}`, bytes);
    const first = await take();
    await put('b', '2');
    expect((await take()).base).toBe(first.id);
    expect((await readManifests(target)).length).toBe(2);
    expect(await prune(target, 0, { ...systemClock, wallMs: () => Date.now() + 60_000 })).toEqual([]);
    expect([...target.files.keys()].filter((name) => name.startsWith('eu/'))).toHaveLength(below.files.size);
  });

  it('is whole the first time, and then holds what came since; each can be restored, versions kept', async () => {
    await put('a', '1');
    await put('b', '1');
    const first = await take();
    const then = await holds(origin);
    await put('a', '2');
    await remove('b');
    await put('c', '1');
    const second = await take();
    const now = await holds(origin);
    expect([first.base, second.base]).toEqual([undefined, first.id]);
    expect(second.records).toBe(3);
    const restoredNow = await restored();
    expect(await holds(restoredNow)).toEqual(now);
    expect(restoredNow.clusterId).toBe(origin.clusterId);
    expect(restoredNow.identity.id).not.toBe(origin.identity.id);
    expect(await holds(await restored(first.takenMs))).toEqual(then);
    await put('d', '1', restoredNow);
    expect(Object.keys(await holds(restoredNow))).toEqual(['a', 'c', 'd']);
  });

  it.each([
    ['is missing', async (name: string) => target.remove(name)],
    ['is damaged', async (name: string) => target.write(name, Buffer.concat([await target.read(name), Buffer.of(0)]))],
  ])('is whole again where a part of what it would go on from %s', async (_, harm) => {
    await put('a', '1');
    const first = await take();
    await harm(`${first.id}/${first.parts[0]?.name}`);
    await put('b', '1');
    const second = await take();
    expect([second.base, second.records]).toEqual([undefined, first.records + 1]);
    expect(await holds(await restored())).toEqual(await holds(origin));
  });

  it('holds values of many messages, and what stands beside a value', async () => {
    const value = Buffer.alloc(5 * 1024 * 1024, 'x');
    const mutation = {
      kind: 'put',
      key: 'large',
      value,
      metadata: '{"a":1}',
      expiry: { kind: 'in', seconds: 3600 },
    } as const;
    await origin.write({ namespace: 'ns', mutations: [mutation], session: emptySession }, aCall());
    await take();
    const { record } = await (await restored()).get({ namespace: 'ns', key: 'large', session: emptySession }, aCall());
    const before = (await origin.get({ namespace: 'ns', key: 'large', session: emptySession }, aCall())).record;
    expect(record?.kind === 'live' && Buffer.from(record.value).equals(value)).toBe(true);
    expect({ ...record, value: undefined, position: undefined }).toEqual({
      ...before,
      value: undefined,
      position: undefined,
    });
  });

  it('is kept in a bucket as in a folder', async () => {
    const server = new S3Server('kept', { id: 'i', secret: 's' });
    closing.push(() => server.stop());
    const environment = { AWS_ACCESS_KEY_ID: 'i', AWS_SECRET_ACCESS_KEY: 's', AWS_ENDPOINT_URL: await server.start() };
    const bounds = { ...outside, signal: neverStopped, retryMs: 0, failed: () => {} };
    await put('a', '1');
    for (const place of ['s3://kept/p', join(folder, 'kept')]) {
      const kept = openBackupTarget({ place, environment, ...bounds });
      await take({ target: kept });
      await put('b', '1');
      await take({ target: kept });
      const data = join(folder, `from-${closing.length}-${place.length}`);
      const { base } = await restoreBackup({ target: kept, data, outside, received: () => {} });
      expect(base, place).toBeDefined();
    }
    expect(() => openBackupTarget({ place: 'gs://b', environment, ...bounds })).toThrow('gs:// is not known');
  });

  it('makes no origin of a folder in which a restore broke off, and is restored there again', async () => {
    for (let i = 0; i < 40; i++) await put(`k${i}`, 'v');
    await take();
    const data = join(folder, 'half');
    const ends = () => {
      throw new Error('the process ends');
    };
    await expect(restoreBackup({ target, data, outside, received: ends })).rejects.toThrow('the process ends');
    await expect(opened(data)).rejects.toMatchObject({ code: 'DATA_LOSS', details: { reason: 'identity' } });
    for (const close of closing.splice(1)) await close();
    await restoreBackup({ target, data, outside, received: () => {} });
    expect(Object.keys(await holds(await opened(data)))).toHaveLength(40);
  });

  it('goes on where it broke off, and sends nothing twice that it had written', async () => {
    const value = Buffer.alloc(1024 * 1024, 'v');
    for (let i = 0; i < 40; i++) await put(`k${String(i).padStart(2, '0')}`, value);
    let sent = 0;
    const breaking: Feed = {
      async *follow(...args) {
        for await (const event of origin.follow(...args)) {
          if (event.kind === 'changes') sent += event.records.length;
          if (sent > 30) throw new Error('the line is cut');
          yield event;
        }
      },
    };
    await expect(take({ feed: breaking })).rejects.toThrow('the line is cut');
    const [unfinished] = await readUnfinished(target);
    expect(unfinished?.records).toBeGreaterThan(10);
    let again = 0;
    const counting: Feed = {
      async *follow(...args) {
        for await (const event of origin.follow(...args)) {
          if (event.kind === 'changes') again += event.records.length;
          yield event;
        }
      },
    };
    const manifest = await take({ feed: counting });
    expect(manifest.id).toBe(unfinished?.id);
    expect(again).toBeLessThan(40);
    expect(await readUnfinished(target)).toEqual([]);
    expect(Object.keys(await holds(await restored()))).toHaveLength(40);
  });

  it('stays whole where it ended before it could say that it is no longer under way', async () => {
    const value = Buffer.alloc(1024 * 1024, 'v');
    for (let i = 0; i < 20; i++) await put(`k${String(i).padStart(2, '0')}`, value);
    const remove = target.remove.bind(target);
    target.remove = async (name) => {
      throw new MeridianError('UNAVAILABLE', `${name} cannot be removed now`, { reason: 'backup-target' });
    };
    await expect(take()).rejects.toMatchObject({ details: { reason: 'backup-target' } });
    target.remove = remove;
    const [first] = await readManifests(target);
    await put('later', '1');
    const second = await take();
    expect([second.base, (await readManifests(target)).length]).toEqual([first?.id, 2]);
    expect(Object.keys(await holds(await restored()))).toHaveLength(21);
    expect((await take({ whole: true })).id).not.toBe(first?.id);
  });

  it('does not take a node for lost while the place of the backups is slow, and does where it says nothing', async () => {
    await put('a', '1');
    const clock = new FakeClock();
    target.onWrite = () => clock.advance(90_000);
    const first = await take({ clock });
    expect(first.records).toBeGreaterThan(0);
    const value = Buffer.alloc(1024 * 1024, 'v');
    for (let i = 0; i < 20; i++) await put(`k${i}`, value);
    const pausing = (ms: number): Feed => ({
      async *follow(open, probes, signal) {
        for await (const event of origin.follow(open, probes, signal)) {
          clock.advance(ms);
          signal.throwIfAborted();
          yield event;
        }
      },
    });
    expect((await take({ clock, feed: pausing(0) })).records).toBe(20);
    await expect(take({ clock, feed: pausing(90_000) })).rejects.toMatchObject({ details: { reason: 'silent' } });
  });

  it('is begun anew where parts of one that broke off are gone', async () => {
    const value = Buffer.alloc(1024 * 1024, 'v');
    for (let i = 0; i < 20; i++) await put(`k${String(i).padStart(2, '0')}`, value);
    const breaking: Feed = {
      async *follow(...args) {
        for await (const event of origin.follow(...args)) {
          if (event.kind === 'caught-up') throw new Error('the line is cut');
          yield event;
        }
      },
    };
    await expect(take({ feed: breaking })).rejects.toThrow('the line is cut');
    const [unfinished] = await readUnfinished(target);
    await target.remove(`${unfinished?.id}/${unfinished?.parts[0]?.name}`);
    expect((await take()).id).not.toBe(unfinished?.id);
    expect([...target.files.keys()].filter((name) => name.startsWith(`${unfinished?.id}/`))).toEqual([]);
    expect(Object.keys(await holds(await restored()))).toHaveLength(20);
  });

  it('is taken anew where the node cannot go on from there', async () => {
    await put('a', '1');
    const first = await take();
    const answers: FeedEvent['kind'][] = [];
    const resyncing: Feed = {
      async *follow(open, ...rest) {
        for await (const event of origin.follow({ ...open, start: { kind: 'resync' } }, ...rest)) {
          answers.push(event.kind);
          yield event;
        }
      },
    };
    await put('b', '1');
    const second = await take({ feed: resyncing });
    expect(answers).toContain('resync');
    expect(second.base).toBeUndefined();
    expect(second.id).not.toBe(first.id);
    expect(Object.keys(await holds(await restored()))).toEqual(['a', 'b']);
  });

  it('is taken whole where that is asked for, where the chain is old, or has grown longer than it', async () => {
    await put('a', '1');
    await take();
    expect((await take({ whole: true })).base).toBeUndefined();
    expect((await take({ chainMsMax: -1 })).base).toBeUndefined();
    await put('large', Buffer.from(systemRandom.hex(200_000)));
    expect((await take()).base).toBeDefined();
    expect((await take()).base, 'the increments are larger').toBeUndefined();
  });

  it('refuses a place with backups of another cluster', async () => {
    await take();
    const other = await openOrigin();
    closing.push(other.close);
    await expect(take({ feed: other.origin })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      details: { reason: 'other-cluster' },
    });
    expect(await readManifests(target)).toHaveLength(1);
  });

  it('says what is damaged, restores nothing of it, and all else', async () => {
    await put('a', '1');
    const first = await take();
    await put('b', '1');
    const second = await take();
    const faults = async () => {
      const found: Array<string | undefined> = [];
      for await (const { fault } of verifyBackups(target)) found.push(fault);
      return found;
    };
    expect(await faults()).toEqual([undefined, undefined]);
    const path = `${second.id}/${second.parts[0]?.name}`;
    const good = await target.read(path);
    const bad = Buffer.from(good);
    bad[bad.length >> 1] = (bad[bad.length >> 1] ?? 0) ^ 1;
    target.files.set(path, bad);
    expect(await faults()).toEqual([undefined, expect.stringContaining('is not what was written')]);
    await expect(restored()).rejects.toMatchObject({ code: 'DATA_LOSS', details: { reason: 'backup-damaged' } });
    expect(Object.keys(await holds(await restored(first.takenMs)))).toEqual(['a']);
    target.files.delete(path);
    expect(await faults()).toEqual([undefined, expect.stringContaining('is not there')]);
    target.files.set(path, good);
    target.files.delete(`${first.id}/${first.parts[0]?.name}`);
    expect(await faults()).toEqual([expect.stringContaining('is not there'), expect.stringContaining(first.id)]);
  });

  it('keeps what any time within the wanted span needs, and removes the rest', async () => {
    const day = 86_400_000;
    const at = (days: number): Partial<TakeOptions> => {
      const wallMs = () => systemClock.wallMs() + days * day;
      const clock = {
        wallMs,
        monotonicMs: () => systemClock.monotonicMs(),
        timer: systemClock.timer.bind(systemClock),
      };
      const feed: Feed = {
        async *follow(...args) {
          for await (const event of origin.follow(...args))
            yield event.kind === 'opened' ? { ...event, wallMs: wallMs() } : event;
        },
      };
      return { clock, feed };
    };
    const taken: Manifest[] = [];
    for (const [days, whole] of [
      [-9, true],
      [-8, false],
      [-6, true],
      [-5, false],
      [-2, false],
    ] as const) {
      await put('k', `${days}`);
      taken.push(await take({ ...at(days), whole }));
    }
    const ids = taken.map(({ id }) => id);
    expect(await prune(target, 7 * day, systemClock), 'the one before the span is needed, with its base').toEqual([]);
    expect(await prune(target, 5.5 * day, systemClock)).toEqual(ids.slice(0, 2));
    expect((await readManifests(target)).map(({ id }) => id)).toEqual(ids.slice(2));
    expect((await target.names()).every((name) => ids.slice(2).some((id) => name.startsWith(id)))).toBe(true);
  });

  it('is left to a later process that goes on with it', async () => {
    const value = Buffer.alloc(1024 * 1024, 'v');
    for (let i = 0; i < 40; i++) await put(`k${String(i).padStart(2, '0')}`, value);
    let other: Promise<Manifest> | undefined;
    let stopped = false;
    const slow: Feed = {
      async *follow(...args) {
        for await (const event of origin.follow(...args)) {
          if (!stopped && (await readUnfinished(target)).length > 0) {
            stopped = true;
            other = take();
            await other;
          }
          yield event;
        }
      },
    };
    await expect(take({ feed: slow })).rejects.toMatchObject({ details: { reason: 'backup-elsewhere' } });
    expect((await readManifests(target)).map(({ id }) => id)).toEqual([(await other)?.id]);
    expect(Object.keys(await holds(await restored()))).toHaveLength(40);
  });

  it('is not written over by the process that it was taken from', async () => {
    const value = Buffer.alloc(1024 * 1024, 'v');
    for (let i = 0; i < 40; i++) await put(`k${String(i).padStart(2, '0')}`, value);
    let other: Promise<Manifest> | undefined;
    const slow = Object.assign(Object.create(target) as MemoryTarget, {
      write: async (name: string, bytes: Uint8Array) => {
        if (other === undefined && (await readUnfinished(target)).length > 0) {
          await put('k20', 'later');
          other = take();
          await other;
        }
        return target.write(name, bytes);
      },
    });
    await expect(take({ target: slow })).rejects.toMatchObject({ details: { reason: 'backup-elsewhere' } });
    for await (const { fault } of verifyBackups(target)) expect(fault).toBeUndefined();
    expect((await readManifests(target)).map(({ id }) => id)).toEqual([(await other)?.id]);
    expect((await holds(await restored()))['k20']).toMatch(/ later$/);
  });

  it('is refused in the end where another process pruned what it goes on from', async () => {
    await put('a', '1');
    const first = await take();
    await put('a', '2');
    const feed: Feed = {
      async *follow(...args) {
        await target.remove(`${first.id}/manifest.json`);
        yield* origin.follow(...args);
      },
    };
    await expect(take({ feed })).rejects.toMatchObject({ details: { reason: 'backup-elsewhere' } });
    expect(await readManifests(target)).toEqual([]);
  });

  it('is restored into an empty folder alone; one that broke off begins anew', async () => {
    await put('a', '1');
    await take();
    const data = join(folder, 'twice');
    const run = (from = target) => restoreBackup({ target: from, data, outside, received: () => {} });
    const breaking = new MemoryTarget();
    for (const [name, bytes] of target.files) if (name.endsWith('.json')) breaking.files.set(name, bytes);
    await expect(run(breaking)).rejects.toMatchObject({ code: 'DATA_LOSS' });
    await run();
    await expect(run()).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', details: { reason: 'store-not-empty' } });
    await expect(
      restoreBackup({ target, data: join(folder, 'early'), atMs: 1, outside, received: () => {} }),
    ).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});
