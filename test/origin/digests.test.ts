import { describe, expect, it } from 'vitest';
import { OriginGroup } from './origin-group.ts';

describe('digests', () => {
  async function two(): Promise<OriginGroup> {
    const group = new OriginGroup();
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
    await group.open('b', ['a']);
    await group.ready('b');
    return group;
  }

  async function digest(group: OriginGroup, name: string, second = 0) {
    const [only, ...rest] = await group.until(group.at(name).digest({ second }, group.call()));
    if (only === undefined || rest.length > 0) throw new Error('one namespace was expected');
    return only;
  }

  it('are equal where the same is held at the same vector, and differ where a value, metadata or an expiry does', async () => {
    const group = await two();
    await group.put('a', 'k', 'v');
    await group.put('b', 'l', 'w');
    await group.untilHolds(
      async () => (await digest(group, 'a')).records === 2 && (await digest(group, 'b')).records === 2,
    );
    const [atA, atB] = [await digest(group, 'a'), await digest(group, 'b')];
    expect([atA.digest, [...atA.vector].sort()]).toEqual([atB.digest, [...atB.vector].sort()]);
    group.cut('a', 'b');
    await group.pass(50);
    await group.put('a', 'k', 'v');
    expect((await digest(group, 'a')).digest, 'another stamp').not.toBe(atB.digest);
  });

  it('leave out what has expired by the second asked for, and what is deleted', async () => {
    const group = await two();
    const empty = await digest(group, 'a');
    await group.write('a', { kind: 'put', key: 'k', value: Buffer.from('v'), expiry: { kind: 'in', seconds: 5 } });
    await group.put('a', 'gone', 'x');
    await group.write('a', { kind: 'delete', key: 'gone' });
    const now = Math.floor(group.clock('a').wallMs() / 1000);
    expect(await digest(group, 'a', now)).toMatchObject({ records: 1 });
    expect(await digest(group, 'a', now + 60)).toMatchObject({ records: 0, digest: empty.digest });
  });

  it('do not depend on positions: what a sealed log left is the same record', async () => {
    const group = await two();
    await group.put('b', 'k', 'v');
    await group.untilHolds(async () => (await group.text('a', 'k')) === 'v');
    const before = await digest(group, 'a');
    group.crash('b');
    await group.remove('a', 'b', true);
    await group.pass(200);
    expect((await digest(group, 'a')).digest).toBe(before.digest);
  });
});
