import { beforeEach, describe, expect, it } from 'vitest';
import { emptySession, sessionAfterRecord } from '../../src/model/session.ts';
import { OriginGroup } from './origin-group.ts';

const retentionMs = 4000;

async function deletedAndPurged(group: OriginGroup): Promise<void> {
  await group.put('b', 'deleted', 'v');
  await group.alike(['a', 'b'], 'deleted', 'v');
  await group.write('b', { kind: 'delete', key: 'deleted' });
  await group.untilHolds(async () => {
    const gone = await Promise.all(['a', 'b'].map((name) => group.get(name, 'deleted')));
    return gone.every(({ record }) => record === undefined);
  });
}

describe('an origin whose disk was put back to when it was alone', () => {
  it('answers no session with less than the session saw, while it may hear of that', async () => {
    // Longer than a read waits: it is asked while a member that the image does not know may still call.
    const silenceMsMax = 5000;
    const group = new OriginGroup({ tombstoneRetentionMs: retentionMs, silenceMsMax });
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
    await group.put('a', 'k', 'in the image');
    const image = group.image('a');
    await group.open('b', ['a']);
    await group.ready('b');
    const { written } = await group.put('a', 'k', 'after the image');
    const [last] = written;
    if (last === undefined) throw new Error('nothing was written');
    await group.alike(['b'], 'k', 'after the image');
    group.cut('a', 'b');
    group.putBack('a', image);
    await group.open('a');
    // It has sealed that log by itself, as it knows of no other member.
    await group.untilHolds(async () => (await group.at('a').status()).unsealed?.length === 0);
    const session = sessionAfterRecord(emptySession, last.position, last.stamp);
    const notYet = { details: { reason: 'session-not-covered' } };
    await expect(group.get('a', 'k', session)).rejects.toMatchObject(notYet);
    const { session: afterWrite } = await group.put('a', 'l', 'needs no session', { session });
    await expect(group.get('a', 'k', afterWrite)).rejects.toMatchObject(notYet);
    group.mend('a', 'b');
    await group.settled('a', 'b');
    await group.pass(silenceMsMax);
    // Whoever answers next with what this session asks for has what was written again.
    const { session: afterCut, covered } = await group.get('a', 'l', session);
    expect(afterCut.vector).toEqual(covered);
    expect((await group.get('a', 'k', session)).record?.stamp).toBe(last.stamp);
  });
});

describe('an origin whose disk was put back', () => {
  let group: OriginGroup;

  beforeEach(async () => {
    group = new OriginGroup({ tombstoneRetentionMs: retentionMs });
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
    await group.open('b', ['a']);
    await group.ready('b');
    await group.settled('a', 'b');
  });

  it('serves and writes at once, in a new log, as the same member, and loses nothing that another one has', async () => {
    const image = group.image('a');
    const { id } = group.at('a').identity;
    await group.put('a', 'k', 'after the image');
    await group.alike(['b'], 'k', 'after the image');
    const past = group.at('a').log;
    group.putBack('a', image);
    const a = await group.open('a');
    expect([a.serves, a.identity.id, a.log === past]).toEqual([true, id, false]);
    const { written } = await group.put('a', 'l', 'at once');
    expect(written[0]?.position.log).toBe(a.log);
    await group.settled('a', 'b');
    await group.alike(['a', 'b'], 'k', 'after the image');
    await group.alike(['a', 'b'], 'l', 'at once');
    expect([group.anew('a'), group.anew('b')]).toEqual([undefined, undefined]);
  });

  it('never uses a position twice: what another one wrote over is not confused with what was lost', async () => {
    const image = group.image('a');
    group.cut('a', 'b');
    const lost = await group.put('a', 'k', 'lost with the disk');
    group.putBack('a', image);
    await group.open('a');
    const again = await group.put('a', 'k', 'written again');
    expect(again.written[0]?.position).not.toEqual(lost.written[0]?.position);
    group.mend('a', 'b');
    await group.settled('a', 'b');
    await group.alike(['a', 'b'], 'k', 'written again');
    const [write] = lost.written;
    // Folded, once B has heard where that log ends.
    await group.untilHolds(async () => write !== undefined && !group.at('b').covered.has(write.position.log));
  });

  it('below the floor of a peer begins anew, as the same member, and writes again what only it had', async () => {
    const image = group.image('a');
    await deletedAndPurged(group);
    const { id } = group.at('a').identity;
    group.cut('a', 'b');
    group.putBack('a', image);
    await group.open('a');
    const { written } = await group.put('a', 'mine', 'seen by nobody');
    await group.put('b', 'theirs', 'meanwhile');
    group.mend('a', 'b');
    await group.beginsAnew('a');
    expect(group.at('a').identity.id).toBe(id);
    await group.alike(['a', 'b'], 'mine', 'seen by nobody');
    await group.alike(['a', 'b'], 'theirs', 'meanwhile');
    const { record } = await group.get('b', 'mine');
    expect(record?.stamp).toBe(written[0]?.stamp);
    expect(record?.position.log).toBe(group.at('a').log);
    await group.alike(['a', 'b'], 'deleted', null);
    await group.settled('a', 'b');
    expect(group.keptApart).toEqual([]);
    // What was put aside is gone: opened once more it is as any other.
    expect(group.image('a').aside).toEqual([]);
  });

  it('keeps apart what only it had and is older than the retention, and says so', async () => {
    const image = group.image('a');
    await deletedAndPurged(group);
    const { id } = group.at('a').identity;
    group.cut('a', 'b');
    group.putBack('a', image);
    await group.open('a');
    await group.put('a', 'old', 'its deletion may be purged');
    await group.pass(retentionMs);
    await group.put('a', 'young', 'it is not');
    group.mend('a', 'b');
    await group.beginsAnew('a');
    await group.alike(['a', 'b'], 'young', 'it is not');
    await group.untilHolds(() => group.keptApart.length > 0);
    expect(group.keptApart.map(({ member, record }) => [member, record.key])).toEqual([[id, 'old']]);
    expect([await group.text('a', 'old'), await group.text('b', 'old')]).toEqual([null, null]);
    await group.untilHolds(async () => (await group.at('a').status()).notes.join().includes('1 writes'));
    expect((await group.at('a').status()).notes.join()).toContain('kept in a file');
  });

  it('answers nobody from when it knows that it begins anew until it has caught up', async () => {
    const image = group.image('a');
    await deletedAndPurged(group);
    group.putBack('a', image);
    await group.open('a');
    await group.untilHolds(() => group.anew('a') !== undefined);
    await expect(group.put('a', 'k', 'refused')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: 'leaving' },
    });
    group.cut('a', 'b');
    await group.reopen('a');
    await group.pass(2000);
    expect((await group.at('a').status()).ready).toBe(false);
    await expect(group.get('a', 'k')).rejects.toMatchObject({ details: { reason: 'joining' } });
    group.mend('a', 'b');
    await group.ready('a');
  });

  it('goes on where that broke off before it had caught up: nothing that was put aside is lost', async () => {
    const image = group.image('a');
    await deletedAndPurged(group);
    group.cut('a', 'b');
    group.putBack('a', image);
    await group.open('a');
    await group.put('a', 'mine', 'seen by nobody');
    group.mend('a', 'b');
    await group.untilHolds(() => group.anew('a') !== undefined);
    group.cut('a', 'b');
    await group.reopen('a');
    await group.pass(100);
    group.crash('a');
    group.mend('a', 'b');
    await group.open('a');
    await group.ready('a');
    await group.alike(['a', 'b'], 'mine', 'seen by nobody');
  });
});

describe('an origin whose disk was copied to another machine', () => {
  let group: OriginGroup;

  /** `a`, and a peer that was told of it by its configuration or found it by the registry. */
  async function withPeer(peers: readonly string[]): Promise<void> {
    group = new OriginGroup({ tombstoneRetentionMs: retentionMs });
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
    await group.open('b', ['a']);
    await group.ready('b');
    group.crash('b');
    await group.open('b', peers);
    await group.settled('a', 'b');
  }

  async function goesOnInTheLater(): Promise<void> {
    const image = group.image('a');
    await group.put('a', 'k', 'of the earlier opening');
    await group.alike(['b'], 'k', 'of the earlier opening');
    group.putBack('copy', image);
    await group.open('copy', ['b'], { name: 'a' });
    expect(group.at('copy').identity.id).toBe(group.at('a').identity.id);
    await group.untilHolds(() => group.replaced('a') !== undefined);
    expect(group.replaced('a')).toContain('is a copy');
    await expect(group.put('a', 'l', 'refused')).rejects.toMatchObject({ details: { reason: 'replaced' } });
    expect(group.replaced('copy')).toBe(undefined);
    group.crash('a');
    await group.put('copy', 'l', 'of the later opening');
    await group.alike(['copy', 'b'], 'k', 'of the earlier opening');
    await group.alike(['copy', 'b'], 'l', 'of the later opening');
    await group.untilHolds(async () => (await group.at('copy').status()).unsealed?.length === 0);
  }

  it('goes on in the later opening alone; the earlier one stops, and what it wrote stays valid', async () => {
    await withPeer([]);
    await goesOnInTheLater();
  });

  it('goes on in the later opening also where the peer was told of the earlier one by its configuration', async () => {
    await withPeer(['a']);
    await goesOnInTheLater();
  });

  it('stops the earlier opening also where the later one lies below the floor of a peer, and begins anew first', async () => {
    await withPeer([]);
    const image = group.image('a');
    await deletedAndPurged(group);
    group.putBack('copy', image);
    await group.open('copy', ['b'], { name: 'a' });
    await group.untilHolds(() => group.anew('copy') !== undefined);
    await group.reopen('copy');
    // The peer looks for the member where it called last.
    await group.reopen('a');
    await group.ready('copy');
    await group.untilHolds(() => group.replaced('a') !== undefined);
    await group.pass(500);
    expect([group.replaced('copy'), group.at('copy').serves]).toEqual([undefined, true]);
  });

  it('goes on in the later opening also where a commit of the earlier one had failed, and began a new log (R2)', async () => {
    await withPeer(['a']);
    group.crash('a');
    await group.open('a', [], {}, async ({ stores: { store } }) => {
      const commit = store.commit.bind(store);
      // Peers are followed again before the new log is on disk.
      store.commit = async (batch) => {
        if (batch.puts.some(({ record }) => record.key.startsWith('log/'))) await group.time.wait(200);
        return commit(batch);
      };
    });
    await group.settled('a', 'b');
    group.disk('a').nextCommitFails = 'lost';
    await expect(group.put('a', 'k', 'fails')).rejects.toThrow();
    await group.untilHolds(async () => (await group.at('a').status()).unsealed?.length === 0);
    await goesOnInTheLater();
  });

  it('is followed on where it is, also where a copy that begins anew has called, and is gone', async () => {
    await withPeer([]);
    const image = group.image('a');
    group.putBack('copy', image);
    await group.open('copy', ['b'], { name: 'a' }, async ({ stores: { store } }) => {
      const { id } = group.at('a').identity;
      const identity = { id, clusterId: group.at('a').clusterId, rejoins: true };
      await store.erase();
      await store.commit({
        puts: [],
        removals: [],
        meta: new Map([['origin/identity', Buffer.from(JSON.stringify(identity))]]),
        sync: true,
      });
    });
    await group.pass(30);
    expect(group.at('copy').serves).toBe(false);
    group.crash('copy');
    await group.pass(2000);
    await group.put('a', 'k', 'after the copy');
    await group.alike(['b'], 'k', 'after the copy');
  });

  it('stops the earlier opening also where the two meet each other alone', async () => {
    group = new OriginGroup();
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
    group.putBack('copy', group.image('a'));
    await group.open('copy', ['a'], { name: 'a' });
    await group.untilHolds(() => group.replaced('a') !== undefined);
    await group.pass(500);
    expect([group.replaced('copy'), group.at('copy').serves]).toEqual([undefined, true]);
  });
});
