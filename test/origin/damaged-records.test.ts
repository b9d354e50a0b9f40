import { beforeEach, describe, expect, it, vi } from 'vitest';
import { MeridianError } from '../../src/model/errors.ts';
import type { FeedEvent, FollowerMessage } from '../../src/model/feed.ts';
import { everything } from '../../src/model/filter.ts';
import { emptySession } from '../../src/model/session.ts';
import { OriginGroup } from './origin-group.ts';

async function* noProbes(): AsyncGenerator<FollowerMessage> {}

describe('an origin with a damaged record', () => {
  let group: OriginGroup;

  beforeEach(async () => {
    group = new OriginGroup();
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
    await group.put('a', 'k', 'first');
    await group.put('a', 'other', 'sound');
  });

  async function damaged(): Promise<void> {
    const { namespace } = await group.get('a', 'k');
    group.disk('a').damage({ namespace, key: 'k' });
    await group.reopen('a');
  }

  /** What a new copy of everything is sent. */
  async function followed(): Promise<readonly FeedEvent[]> {
    const events: FeedEvent[] = [];
    const follow = async () => {
      const node = { name: 'edge', role: 'edge', id: 'd'.repeat(16), region: 'r' } as const;
      const open = { protocol: 2, node, nonce: 'n', role: 'copy', filter: everything } as const;
      const start = { ...open, values: { kind: 'all' }, start: { kind: 'nothing' } } as const;
      for await (const event of group.at('a').follow(start, noProbes(), new AbortController().signal)) {
        events.push(event);
        if (event.kind === 'caught-up') return;
      }
    };
    await group.until(follow());
    return events;
  }

  it('answers DATA_LOSS for it and all else as before, and says so', async () => {
    await damaged();
    await expect(group.get('a', 'k')).rejects.toMatchObject({ code: 'DATA_LOSS' });
    expect(await group.text('a', 'other')).toBe('sound');
    const status = await group.at('a').status();
    expect([status.ready, status.storage?.damagedRecords]).toEqual([true, 1]);
    expect(status.notes.join()).toContain('1 records are damaged');
  });

  it('names it in a list, in its place, whatever the page', async () => {
    await group.put('a', 'a', 'before');
    await damaged();
    const pages: unknown[] = [];
    for (let cursor: string | undefined, more = true; more; ) {
      const request = { namespace: 'ns', prefix: '', limit: 1, session: emptySession };
      const page = group.at('a').list({ ...request, ...(cursor === undefined ? {} : { cursor }) }, group.call());
      const { keys, cursor: next } = await group.until(page);
      pages.push(keys.map(({ key, damaged: isDamaged = false, valueBytes }) => [key, isDamaged, valueBytes]));
      [cursor, more] = [next, next !== undefined];
    }
    expect(pages.flat()).toEqual([
      ['a', false, 6],
      ['k', true, 0],
      ['other', false, 5],
    ]);
  });

  it('makes the digest of its namespace unknown, and says how many there are', async () => {
    const digest = async () => (await group.until(group.at('a').digest({ second: 0 }, group.call())))[0];
    expect(await digest()).toMatchObject({ records: 2, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
    await damaged();
    const unknown = await digest();
    expect([unknown?.records, unknown?.damaged, unknown?.digest]).toEqual([1, 1, undefined]);
    const { namespace } = await group.get('a', 'other');
    const range = { namespace, prefix: '', second: 0, hashes: true };
    const ranged = await group.until(group.at('a').digestRange(range, group.call()));
    expect(ranged.hashes.map(({ key }) => key)).toEqual(['other']);
  });

  it('is healed by a put, and by a deletion', async () => {
    await damaged();
    await group.put('a', 'k', 'second');
    expect(await group.text('a', 'k')).toBe('second');
    await damaged();
    await group.write('a', { kind: 'delete', key: 'k' });
    expect((await group.get('a', 'k')).record?.kind).toBe('tombstone');
    expect((await group.at('a').status()).storage?.damagedRecords).toBe(0);
  });

  it('refuses a condition on it, and takes the writes that come beside that', async () => {
    const version = (await group.get('a', 'k')).record?.stamp;
    await damaged();
    const put = (condition: object) => group.put('a', 'k', 'second', { mutations: [mutation(condition)] });
    const mutation = (condition: object) => ({ kind: 'put', key: 'k', value: Buffer.from('x'), condition }) as never;
    const lost = { code: 'DATA_LOSS', details: { reason: 'damaged-record' } };
    const [absent, same] = [put({ kind: 'absent' }), put({ kind: 'version', version })];
    await Promise.all([
      expect(absent).rejects.toMatchObject(lost),
      expect(same).rejects.toMatchObject(lost),
      group.put('a', 'other', 'beside'),
    ]);
    expect(await group.text('a', 'other')).toBe('beside');
  });

  it('serves no scan past it to a follower that cannot be told: it would think that it covers it', async () => {
    await damaged();
    await expect(followed()).rejects.toMatchObject({ code: 'DATA_LOSS', details: { reason: 'damaged-record' } });
    await expect(followed()).rejects.toThrow(/"k"/);
    await group.put('a', 'k', 'second');
    expect((await followed()).at(-1)?.kind).toBe('caught-up');
  });

  it('has it back from a peer, by itself, and serves scans again', async () => {
    await group.open('b', ['a']);
    await group.ready('b');
    await group.settled('a', 'b');
    await damaged();
    await group.alike(['a', 'b'], 'k', 'first');
    await group.untilHolds(async () => (await group.at('a').status()).storage?.damagedRecords === 0);
    expect((await followed()).at(-1)?.kind).toBe('caught-up');
    expect(group.anew('a')).toBeUndefined();
  });

  it('has it back from one peer where another one has yet to hear of the write, and waits for it', async () => {
    group = new OriginGroup();
    await group.openThree();
    // Peers are asked in this order.
    const [late = '', early = ''] = ['b', 'c'].sort((x, y) =>
      group.at(x).identity.id < group.at(y).identity.id ? -1 : 1,
    );
    for (const name of ['a', early]) group.cut(late, name);
    await group.put('a', 'k', 'known to one');
    await group.alike([early], 'k', 'known to one');
    await damaged();
    for (const name of ['a', early]) {
      const origin = group.at(name);
      const { follow } = origin;
      vi.spyOn(origin, 'follow').mockImplementation(async function* (open, ...rest) {
        if (open.node.name === late) throw new MeridianError('UNAVAILABLE', 'not now', { reason: 'connection' });
        yield* follow.call(origin, open, ...rest);
      });
      group.mend(late, name);
    }
    const peer = group.at(early);
    const { get } = peer;
    vi.spyOn(peer, 'get').mockImplementation(async (request, call) => {
      if (call.deadlineMs > group.time.nowMs) return get.call(peer, request, call);
      throw new MeridianError('DEADLINE_EXCEEDED', 'asked too late', { reason: 'deadline' });
    });
    await group.alike(['a'], 'k', 'known to one');
    expect(await group.text(late, 'k')).toBe(null);
  });

  it('has a later write of a peer in its place, whatever that peer wrote meanwhile', async () => {
    await group.open('b', ['a']);
    await group.ready('b');
    await group.settled('a', 'b');
    group.cut('a', 'b');
    await group.put('b', 'k', 'of b');
    await group.put('a', 'k', 'of a, later');
    await damaged();
    group.mend('a', 'b');
    // What a alone had is lost; nothing earlier takes its place unless nobody has anything later.
    await group.put('b', 'new', 'v');
    await group.pass(3000);
    expect(['of b', null]).toContain(await group.text('a', 'k'));
    await group.put('b', 'k', 'the last');
    await group.alike(['a', 'b'], 'k', 'the last');
    await group.alike(['a', 'b'], 'new', 'v');
  });

  it('loses nothing that another origin has, whoever writes meanwhile', async () => {
    const names = ['a', 'b', 'c'];
    for (const name of ['b', 'c']) await group.open(name, ['a']);
    await group.ready('b', 'c');
    await group.settled(...names);
    const expected = new Map<string, string>();
    const { namespace } = await group.get('a', 'k');
    for (let round = 0; round < 24; round++) {
      const [at = '', other = ''] = [names[round % 3], names[(round + 1) % 3]];
      for (const key of [`k${round % 4}`, `l${round % 3}`]) {
        await group.put(at, key, `${key} ${round}`);
        expected.set(key, `${key} ${round}`);
      }
      for (const [key, text] of expected) await group.alike(names, key, text);
      group.disk(other).damage({ namespace, key: `k${round % 4}` });
      group.disk(other).damage({ namespace, key: `l${round % 3}` });
      await group.reopen(other);
      // A later write of one of the two may come from another origin before that is mended.
      if (round % 2 === 0) await group.put(at, `k${round % 4}`, `meanwhile ${round}`);
      if (round % 2 === 0) expected.set(`k${round % 4}`, `meanwhile ${round}`);
    }
    for (const [key, text] of expected) await group.alike(names, key, text);
    await group.untilHolds(async () => {
      const all = await Promise.all(names.map((name) => group.at(name).status()));
      return all.every(({ storage }) => storage?.damagedRecords === 0);
    });
    expect(names.map((name) => group.anew(name))).toEqual([undefined, undefined, undefined]);
  });

  it('lets a new member join that nobody can give the record to, and is healed together with it', async () => {
    await damaged();
    await group.open('b', ['a']);
    await group.ready('b');
    await group.settled('a', 'b');
    expect(await group.text('b', 'other')).toBe('sound');
    await expect(group.get('b', 'k')).rejects.toMatchObject({ code: 'DATA_LOSS' });
    await group.put('b', 'k', 'second');
    await group.alike(['a', 'b'], 'k', 'second');
    const all = await Promise.all(['a', 'b'].map((name) => group.at(name).status()));
    expect(all.map(({ storage }) => storage?.damagedRecords)).toEqual([0, 0]);
  });

  it('costs a member that lacks it nothing that this one can read', async () => {
    await group.open('b', ['a']);
    await group.ready('b');
    await group.settled('a', 'b');
    group.cut('a', 'b');
    await group.put('a', 'k', 'of a alone');
    await damaged();
    group.mend('a', 'b');
    await group.pass(3000);
    expect(await group.text('b', 'k')).toBe('first');
    await group.put('a', 'k', 'the last');
    await group.alike(['a', 'b'], 'k', 'the last');
  });
});
