import { beforeEach, describe, expect, it } from 'vitest';
import { Edge } from '../../src/edge/edge.ts';
import { type EdgeOptions, edgeDefaults } from '../../src/edge/edge-options.ts';
import { silentEdgeObserver } from '../../src/edge/observer.ts';
import type { WriteAnswer } from '../../src/model/key-value.ts';
import { emptySession, type Session, sessionAfterAnswer, sessionAfterRecord } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { OriginGroup } from '../origin/origin-group.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { VirtualClock } from '../support/virtual-time.ts';

describe('an edge of an origin whose disk was put back', () => {
  let group: OriginGroup;

  beforeEach(async () => {
    group = new OriginGroup();
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
    await group.put('a', 'k', 'before the image');
  });

  async function edgeOf(
    upstreams: readonly Upstream[],
    replicate: readonly string[],
    more: Partial<EdgeOptions> = {},
  ): Promise<Edge> {
    const options: EdgeOptions = {
      ...edgeDefaults,
      probeIntervalMs: 20,
      silenceMsMax: 300,
      backoff: { firstMs: 5, mostMs: 50 },
      identity: { name: 'e', region: 'r' },
      version: 'test',
      clock: new VirtualClock(group.time),
      random: group.random,
      observer: silentReplicationObserver,
      edgeObserver: silentEdgeObserver,
      upstreams: upstreams.map((upstream, index) => ({ name: `u${index}`, upstream })),
      copyStore: new MemoryDisk().open(),
      cacheStore: new MemoryDisk().open(),
      replicate,
      feedValues: { kind: 'all' },
      ...more,
    };
    return group.until(Edge.open(options));
  }

  async function textAt(edge: Edge, session = emptySession): Promise<readonly [string, string | undefined]> {
    const { record, source } = await group.until(edge.get({ namespace: 'ns', key: 'k', session }, group.call()));
    return [source, record?.kind === 'live' ? Buffer.from(record.value).toString() : undefined];
  }

  async function shows(edge: Edge, from: string, text: string): Promise<void> {
    await group.untilHolds(async () => {
      const [source, held] = await textAt(edge).catch(() => ['none', undefined] as const);
      return source === from && held === text;
    });
  }

  it.each([
    ['copy', ['*']],
    ['cache', []],
  ] as const)(
    'forgets with its %s what the origin has lost, and goes on with what it has',
    async (source, replicate) => {
      const edge = await edgeOf([group.reach('e', 'a')], replicate);
      await shows(edge, source, 'before the image');
      const image = group.image('a');
      const lost = await group.put('a', 'k', 'lost with the disk');
      await shows(edge, source, 'lost with the disk');
      group.putBack('a', image);
      await group.open('a');
      await shows(edge, source, 'before the image');
      await group.put('a', 'k', 'after');
      await shows(edge, source, 'after');
      // A session that saw what is lost is not held to it for ever.
      const [first] = lost.written;
      if (first === undefined) throw new Error('nothing was written');
      const session = sessionAfterRecord(emptySession, first.position, first.stamp);
      expect((await textAt(edge, session))[1]).toBe('after');
      await group.until(edge.close());
    },
  );

  // Whatever a copy purged went without a trace. Once it had caught up with an origin that has the record again, it said of
  // it for some milliseconds that there was none, and that it covered all that the origin did.
  it('shows no absence that a deletion left which the origin has lost', async () => {
    const purges = { tombstoneRetentionMs: 100, garbageIntervalMs: 20, clockSkewMsMax: 60, clockHoldMs: 0 };
    const disk = new MemoryDisk();
    const slow = { copyStore: disk.open(() => group.time.wait(5)) };
    const edge = await edgeOf([group.reach('e', 'a')], ['*'], { ...purges, ...slow });
    await shows(edge, 'copy', 'before the image');
    const image = group.image('a');
    group.crash('a');
    await group.open('a', [], purges);
    const mutations = [{ kind: 'delete' as const, key: 'k' }];
    await group.until(group.at('a').write({ namespace: 'ns', mutations, session: emptySession }, group.call()));
    await group.untilHolds(() => ![...disk.visible.records.values()].some(({ key }) => key === 'k'));
    group.putBack('a', image);
    await group.open('a', [], purges);
    const log = group.at('a').log;
    const wrong: string[] = [];
    let shown = 0;
    for (let step = 0; step < 1500; step++) {
      void edge.get({ namespace: 'ns', key: 'k', session: emptySession }, group.call()).then(
        ({ record, covered, source }) => {
          if (source === 'copy' && record?.kind === 'live') shown++;
          if (covered.has(log) && record?.kind !== 'live') wrong.push(`${source} ${record?.kind} at step ${step}`);
        },
        () => {},
      );
      await group.pass(1);
    }
    expect(wrong).toEqual([]);
    expect(shown).toBeGreaterThan(0);
    await group.until(edge.close());
  });

  // What the scan of an origin that was put back once more showed was mixed with what a copy held, and shown by the bound of before.
  it('takes nothing of another past while it shows what it knew', async () => {
    const purges = { tombstoneRetentionMs: 100, garbageIntervalMs: 20, clockSkewMsMax: 60, clockHoldMs: 0 };
    const reopen = async () => {
      group.crash('a');
      await group.open('a', [], purges);
    };
    const first = group.image('a');
    await reopen();
    for (const key of ['k', 'l', 'm', 'n', 'o', 'p']) await group.put('a', key, 'of another past');
    const second = group.image('a');
    group.putBack('a', first);
    await group.open('a', [], purges);
    const log = group.at('a').log;
    const disk = new MemoryDisk();
    const copyStore = disk.open(() => group.time.wait(5));
    const edge = await edgeOf([group.reach('e', 'a')], ['*'], { ...purges, copyStore });
    await group.put('a', 'k', 'now');
    await shows(edge, 'copy', 'now');
    const mutations = [{ kind: 'delete' as const, key: 'k' }];
    await group.until(group.at('a').write({ namespace: 'ns', mutations, session: emptySession }, group.call()));
    await group.untilHolds(() => ![...disk.visible.records.values()].some(({ key }) => key === 'k'));
    group.putBack('a', second);
    await group.open('a', [], purges);
    const wrong: string[] = [];
    let shown = 0;
    for (let step = 0; step < 1500; step++) {
      const answer = edge.peek({ namespace: 'ns', key: 'k', session: emptySession, maxStalenessMs: 60_000 });
      if (answer?.bound?.root === log && answer.record?.kind === 'live') wrong.push(`live at step ${step}`);
      if (answer?.bound?.root === group.at('a').log && answer.record?.kind === 'live') shown++;
      await group.pass(1);
    }
    expect(wrong).toEqual([]);
    expect(shown).toBeGreaterThan(0);
    await group.until(edge.close());
  });

  it('below a relay begins anew as the relay does', async () => {
    const relay = await edgeOf([group.reach('e', 'a')], ['*']);
    const below = await edgeOf([relay], ['*']);
    await shows(below, 'copy', 'before the image');
    const image = group.image('a');
    await group.put('a', 'k', 'lost with the disk');
    await shows(below, 'copy', 'lost with the disk');
    group.putBack('a', image);
    await group.open('a');
    await shows(relay, 'copy', 'before the image');
    await shows(below, 'copy', 'before the image');
    await group.put('a', 'k', 'after');
    await shows(below, 'copy', 'after');
    for (const edge of [below, relay]) await group.until(edge.close());
  });

  it('goes on as it is where the origin opens again over the same disk', async () => {
    const resyncs: string[] = [];
    const resyncSent = (reason: string) => resyncs.push(reason);
    group.crash('a');
    await group.open('a', [], { observer: { ...silentReplicationObserver, resyncSent } });
    const edge = await edgeOf([group.reach('e', 'a')], ['*']);
    await shows(edge, 'copy', 'before the image');
    for (let round = 0; round < 5; round++) {
      group.crash('a');
      await group.open('a', [], { observer: { ...silentReplicationObserver, resyncSent } });
      await group.put('a', 'k', `round ${round}`);
      await shows(edge, 'copy', `round ${round}`);
    }
    await group.settled('a');
    await group.untilHolds(async () => (await edge.status()).scopes.every(({ covered }) => covered.size === 1));
    expect(resyncs).toEqual([]);
    await group.until(edge.close());
  });

  it.each([
    ['copy', ['*']],
    ['cache', []],
  ] as const)('by its %s keeps a session small and true over many openings of the origin', async (_, replicate) => {
    const edge = await edgeOf([group.reach('e', 'a')], replicate);
    await group.untilHolds(async () => (await edge.status()).scopes.every(({ state }) => state === 'live'));
    let session: Session = emptySession;
    for (let round = 0; round < 20; round++) {
      group.crash('a');
      await group.open('a');
      const asked = session;
      const mutations = [{ kind: 'put' as const, key: 'k', value: Buffer.from(`${round}`) }];
      const writing = () => edge.write({ namespace: 'ns', mutations, session: asked }, group.call());
      let put: WriteAnswer | undefined;
      await group.untilHolds(async () => {
        put = await group.until(writing()).catch(() => undefined);
        return put !== undefined;
      });
      session = sessionAfterAnswer(session, asked, put?.session ?? emptySession);
      for (const key of ['k', 'absent']) {
        const got = await group.until(edge.get({ namespace: 'ns', key, session }, group.call()));
        if (key === 'k') expect(got.record?.stamp).toBe(put?.written[0]?.stamp);
        session = sessionAfterAnswer(session, session, got.session);
      }
      expect(session.vector.size).toBeLessThanOrEqual(2);
    }
    await group.until(edge.close());
  });
});
