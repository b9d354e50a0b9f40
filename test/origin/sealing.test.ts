import { beforeEach, describe, expect, it } from 'vitest';
import type { LogId } from '../../src/model/position.ts';
import type { LiveRecord } from '../../src/model/record.ts';
import { emptySession, type Session, sessionAfterAnswer } from '../../src/model/session.ts';
import { makeStamp, type Stamp, stampWallMs } from '../../src/model/stamp.ts';
import { OriginGroup } from './origin-group.ts';

describe('an origin whose store opens again', () => {
  let group: OriginGroup;

  beforeEach(async () => {
    group = new OriginGroup();
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
  });

  /** The logs of a member as an origin knows them: where each ends, or that it goes on. */
  async function logsOf(name: string, at = name) {
    const members = await group.until(group.at(at).members({ ...group.call(), forwarded: true }));
    const { id } = group.at(name).identity;
    const logs = members.find((member) => member.id === id)?.logs ?? [];
    return new Map(logs.map(({ log, final }) => [log, final]));
  }

  async function withPeer(): Promise<void> {
    await group.open('b', ['a']);
    await group.ready('b');
    await group.settled('a', 'b');
  }

  it('writes in a new log, and seals its past at once where it is alone', async () => {
    const { written } = await group.put('a', 'k', 'before');
    const past = group.at('a').log;
    group.crash('a');
    await group.open('a');
    expect(group.at('a').log).not.toBe(past);
    const after = await group.put('a', 'l', 'after');
    expect(after.written[0]?.position.log).toBe(group.at('a').log);
    await group.settled('a');
    const { unsealed, scopes } = await group.at('a').status();
    expect(unsealed).toEqual([]);
    expect([...(scopes[0]?.covered.keys() ?? [])]).toEqual([group.at('a').log]);
    expect(await logsOf('a')).toEqual(
      new Map([
        [past, written[0]?.position.sequence],
        [group.at('a').log, undefined],
      ]),
    );
  });

  it('waits with its seals for a member that is away, and says for whom; and goes on meanwhile', async () => {
    await withPeer();
    group.crash('b');
    const past = group.at('a').log;
    group.crash('a');
    await group.open('a');
    await group.put('a', 'k', 'while b is away');
    await group.pass(3000);
    expect((await group.at('a').status()).unsealed).toEqual([{ log: past, waitsFor: ['b'] }]);
    await group.open('b');
    await group.settled('a', 'b');
    await group.alike(['b'], 'k', 'while b is away');
    expect((await logsOf('a', 'b')).get(past)).toBeGreaterThan(0);
  });

  it('seals no log before it covers all that a peer has of it: nothing that anybody holds lies beyond', async () => {
    await withPeer();
    const image = group.image('a');
    await group.put('a', 'k', 'known to b');
    await group.alike(['b'], 'k', 'known to b');
    const past = group.at('a').log;
    const { written } = await group.put('a', 'l', 'known to b too');
    await group.alike(['b'], 'l', 'known to b too');
    group.putBack('a', image);
    await group.open('a');
    await group.settled('a', 'b');
    await group.untilHolds(async () => (await logsOf('a', 'b')).get(past) !== undefined);
    expect((await logsOf('a', 'b')).get(past)).toBe(written[0]?.position.sequence);
    for (const name of ['a', 'b']) expect(await group.text(name, 'k')).toBe('known to b');
    expect(group.at('b').covered.has(past)).toBe(false);
  });

  it('writes again what it holds of a log that nobody knows: its member’s disk was put back while a scan of it broke off', async () => {
    await withPeer();
    await group.put('a', 'k', 'as both have it');
    const { written } = await group.put('b', 'l', 'another');
    await group.alike(['a', 'b'], 'l', 'another');
    group.crash('b');
    const disk = group.disk('b');
    const lost = 'abcdef0123456789' as LogId;
    const later = (wallMs: number) => makeStamp({ wallMs, counter: 0, log: lost });
    const records = new Map(disk.synced.records);
    let stamp: Stamp | undefined;
    for (const [name, record] of records) {
      if (record.key !== 'k') continue;
      stamp = later(stampWallMs(record.stamp) + 5);
      const value = Buffer.from('of the lost log');
      records.set(name, { ...(record as LiveRecord), value, stamp, position: { log: lost, sequence: 7 } });
    }
    disk.synced = { ...disk.synced, records };
    disk.visible = disk.synced;
    await group.open('b', ['a']);
    await group.alike(['a', 'b'], 'k', 'of the lost log');
    const ofLost = (name: string) =>
      [...group.disk(name).visible.records.values()].some((r) => r.position.log === lost);
    await group.untilHolds(() => !ofLost('a') && !ofLost('b'));
    for (const name of ['a', 'b']) expect((await group.get(name, 'k')).record?.stamp).toBe(stamp);
    expect((await group.get('a', 'l')).record?.stamp).toBe(written[0]?.stamp);
    await group.settled('a', 'b');
    for (const name of ['a', 'b']) expect(group.at(name).covered.has(lost)).toBe(false);
  });

  it('goes on in a new log after a failed commit, without a restart, and seals the one before (R2)', async () => {
    await withPeer();
    const past = group.at('a').log;
    group.disk('a').nextCommitFails = 'lost';
    await expect(group.put('a', 'k', 'lost')).rejects.toMatchObject({ details: { reason: 'store-failed' } });
    await group.put('a', 'l', 'after');
    expect(group.at('a').log).not.toBe(past);
    await group.settled('a', 'b');
    expect((await logsOf('a', 'b')).get(past)).toBeGreaterThan(0);
    await group.alike(['b'], 'l', 'after');
  });

  it('after a hundred openings of two origins covers one component for each of them, and so does a session', async () => {
    await withPeer();
    let session: Session = emptySession;
    const past = new Set<LogId>();
    let widest = 0;
    for (let round = 0; round < 50; round++) {
      for (const name of ['a', 'b']) {
        group.crash(name);
        await group.open(name);
        past.add(group.at(name).log);
        const put = await group.put(name, `k${round % 10}`, `${name} ${round}`, { session });
        session = sessionAfterAnswer(session, session, put.session);
        await group.settled('a', 'b');
        const other = name === 'a' ? 'b' : 'a';
        const got = await group.get(other, `k${round % 10}`, session);
        expect(got.record?.stamp).toBe(put.written[0]?.stamp);
        session = sessionAfterAnswer(session, session, got.session);
        widest = Math.max(widest, session.vector.size);
      }
    }
    expect(past.size).toBe(100);
    await group.settled('a', 'b');
    for (const name of ['a', 'b']) {
      const { scopes } = await group.at(name).status();
      for (const vector of [scopes[0]?.covered, (await group.get(name, 'k0')).covered]) {
        expect([...(vector?.keys() ?? [])].sort()).toEqual(['a', 'b'].map((each) => group.at(each).log).sort());
      }
      // Nothing was written meanwhile: what is stable is small as well, once it is reckoned.
      await group.untilHolds(async () => ((await group.at(name).status()).scopes[0]?.stable.size ?? 0) <= 2);
    }
    expect(widest).toBeLessThanOrEqual(4);
    expect(session.vector.size).toBeLessThanOrEqual(4);
  });
});
