import { beforeEach, describe, expect, it } from 'vitest';
import { OriginGroup } from './origin-group.ts';

describe('two sides of a cluster that removed each other', () => {
  let group: OriginGroup;

  beforeEach(() => {
    group = new OriginGroup();
  });

  /** A cluster of these, in which each is told of all the others. */
  async function cluster(...names: string[]): Promise<void> {
    const [first = '', ...rest] = names;
    await group.open(first);
    await group.until(group.at(first).create('ns', group.call()));
    for (const name of rest) await group.open(name, [first]);
    await group.ready(...rest);
    await group.settled(...names);
    await group.put(first, 'k', 'v');
    await group.alike(names, 'k', 'v');
    for (const name of names) {
      group.crash(name);
      await group.open(
        name,
        names.filter((other) => other !== name),
      );
      await group.ready(name);
    }
    await group.settled(...names);
  }

  async function part(these: readonly string[], those: readonly string[]): Promise<void> {
    for (const one of these) for (const other of those) group.cut(one, other);
    await group.pass(400);
  }

  function meet(these: readonly string[], those: readonly string[]): void {
    for (const one of these) for (const other of those) group.mend(one, other);
  }

  /** Opens anew whoever asks for that, until all of them follow each other. Names those that asked for it. */
  async function united(...names: string[]): Promise<string[]> {
    const begunAnew = new Set<string>();
    await group.untilHolds(async () => {
      for (const name of names.filter((each) => group.anew(each) !== undefined)) {
        begunAnew.add(name);
        await group.reopen(name);
      }
      const statuses = await Promise.all(names.map((name) => group.at(name).status()));
      return statuses.every(({ ready, peers = [] }) => {
        return ready && peers.filter(({ state }) => state === 'live').length === names.length - 1;
      });
    });
    const counted = await group.until(group.at(names[0] ?? '').members(group.call()));
    expect(counted.map(({ name }) => name).sort()).toEqual([...names].sort());
    return [...begunAnew].sort();
  }

  it('go on as the one that removed first, where each has enough reports', async () => {
    await cluster('a', 'b', 'c', 'd');
    await part(['a', 'b'], ['c', 'd']);
    for (const [at, name] of [
      ['c', 'a'],
      ['a', 'c'],
      ['a', 'd'],
      ['c', 'b'],
    ] as const) {
      expect((await group.remove(at, name)).missing, `${at} removes ${name}`).toHaveLength(
        name === 'a' || name === 'c' ? 1 : 0,
      );
    }
    const kept = await group.put('c', 'at the side that stays', 'c', { durability: 'majority' });
    expect(kept.durability).toBe('majority');
    await group.put('b', 'at the side that goes', 'b');
    meet(['a', 'b'], ['c', 'd']);
    expect(await united('a', 'b', 'c', 'd')).toEqual(['a', 'b']);
    for (const [key, text] of [
      ['k', 'v'],
      ['at the side that stays', 'c'],
      ['at the side that goes', 'b'],
    ] as const) {
      await group.alike(['a', 'b', 'c', 'd'], key, text);
    }
  });

  it('go on as the one that was not forced, whoever calls the other', async () => {
    await cluster('a', 'b', 'c');
    await part(['a', 'b'], ['c']);
    for (const name of ['a', 'b']) await group.remove('c', name, true);
    expect((await group.remove('a', 'c')).missing).toEqual([]);
    await group.put('c', 'at c alone', 'c');
    meet(['a', 'b'], ['c']);
    expect(await united('a', 'b', 'c')).toEqual(['c']);
    await group.alike(['a', 'b', 'c'], 'at c alone', 'c');
  });

  it('go on as one of them where only the one that stays calls', async () => {
    await group.open('a');
    await group.until(group.at('a').create('ns', group.call()));
    await group.open('b', ['a']);
    await group.ready('b');
    await group.settled('a', 'b');
    await part(['a'], ['b']);
    await group.remove('b', 'a', true);
    await group.remove('a', 'b', true);
    await group.put('a', 'at a alone', 'a');
    meet(['a'], ['b']);
    expect(await united('a', 'b')).toEqual(['a']);
    await group.alike(['a', 'b'], 'at a alone', 'a');
  });

  it('end at a third one that both count', async () => {
    await cluster('a', 'b', 'c', 'd', 'e');
    await part(['a', 'b'], ['c', 'd']);
    await part(['e'], ['a', 'b', 'c', 'd']);
    for (const [at, name] of [
      ['a', 'c'],
      ['a', 'd'],
      ['c', 'a'],
      ['c', 'b'],
    ] as const) {
      await group.remove(at, name, true);
    }
    await group.put('b', 'at b', 'b');
    await group.put('d', 'at d', 'd');
    meet(['e'], ['a', 'b', 'c', 'd']);
    await group.pass(500);
    meet(['a', 'b'], ['c', 'd']);
    expect(await united('a', 'b', 'c', 'd', 'e')).not.toContain('e');
    await group.alike(['a', 'b', 'c', 'd', 'e'], 'at b', 'b');
    await group.alike(['a', 'b', 'c', 'd', 'e'], 'at d', 'd');
  });

  it('leave one of three where each removed the next in turn', async () => {
    await cluster('a', 'b', 'c');
    for (const [one, other] of [
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'a'],
    ] as const) {
      group.cut(one, other);
    }
    await group.pass(400);
    await group.remove('b', 'a', true);
    await group.remove('a', 'c', true);
    await group.remove('c', 'b', true);
    // Else a may tell c first, of a removal that nobody counts: c's earlier self would be for the operator to remove again.
    meet(['b'], ['a', 'c']);
    await group.pass(20);
    meet(['a'], ['c']);
    expect(await united('a', 'b', 'c')).not.toContain('b');
    await group.alike(['a', 'b', 'c'], 'k', 'v');
  });
});
