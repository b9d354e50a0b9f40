import { describe, expect, it } from 'vitest';
import { emptySession } from '../../src/model/session.ts';
import type { OriginOptions } from '../../src/origin/origin-options.ts';
import { OriginGroup } from './origin-group.ts';

const absent = { kind: 'put', key: 'once', value: Buffer.from('x'), condition: { kind: 'absent' } } as const;

async function two(options: Partial<OriginOptions> = {}): Promise<OriginGroup> {
  const group = new OriginGroup(options);
  await group.open('a');
  await group.until(group.at('a').create('ns', group.call()));
  await group.open('b', ['a']);
  await group.ready('b');
  await group.settled('a', 'b');
  return group;
}

/** They hold the same, and cover one component for each of them. */
async function expectAlike(group: OriginGroup, ...names: string[]): Promise<void> {
  await group.settled(...names);
  await group.untilHolds(() => names.every((name) => group.at(name).covered.size === names.length));
  await group.untilHolds(async () => {
    const digests = names.map((name) => group.at(name).digest({ second: 0 }, group.call()));
    const [first, ...rest] = await group.until(Promise.all(digests));
    return rest.every((other) => JSON.stringify(other.map(digestOf)) === JSON.stringify(first?.map(digestOf)));
  });
}

const digestOf = ({ namespace, digest }: { readonly namespace: string; readonly digest?: string }) => [
  namespace,
  digest,
];

/** A key that was deleted, and forgotten by both. */
async function purged(group: OriginGroup): Promise<void> {
  await group.put('b', 'deleted', 'v');
  await group.alike(['a', 'b'], 'deleted', 'v');
  await group.write('b', { kind: 'delete', key: 'deleted' });
  await forgotten(group, ['a', 'b'], 'deleted');
}

async function forgotten(group: OriginGroup, names: readonly string[], key: string): Promise<void> {
  await group.untilHolds(async () => {
    const answers = await Promise.all(names.map((name) => group.get(name, key)));
    return answers.every(({ record }) => record === undefined);
  });
}

describe('origins that open again and again', () => {
  it('seal ten logs at once for a member that was away for all of them', async () => {
    const group = await two();
    group.crash('b');
    for (let round = 0; round < 10; round++) {
      group.crash('a');
      await group.open('a');
      await group.put('a', 'k', `${round}`);
    }
    expect((await group.at('a').status()).unsealed).toHaveLength(10);
    await group.open('b');
    await group.alike(['b'], 'k', '9');
    await expectAlike(group, 'a', 'b');
  });

  it('purge what was deleted in a log that was sealed since, and nobody falls below a floor by that (R19)', async () => {
    const group = await two({ tombstoneRetentionMs: 200 });
    await group.put('a', 'gone', 'v');
    await group.alike(['b'], 'gone', 'v');
    await group.write('a', { kind: 'delete', key: 'gone' });
    await group.alike(['b'], 'gone', null);
    for (let round = 0; round < 5; round++) {
      for (const name of ['a', 'b']) {
        group.crash(name);
        await group.open(name);
      }
    }
    await forgotten(group, ['a', 'b'], 'gone');
    for (const name of ['a', 'b']) {
      group.crash(name);
      await group.open(name);
    }
    await group.settled('a', 'b');
    await group.open('c', ['b']);
    await group.ready('c');
    await group.alike(['c'], 'gone', null);
    await expectAlike(group, 'a', 'b', 'c');
    expect(['a', 'b', 'c'].map((name) => group.anew(name))).toEqual([undefined, undefined, undefined]);
  });

  it('keep all that was acknowledged where commits fail now and then, lost or on the disk all the same (R2)', async () => {
    const group = await two();
    const acknowledged = new Map<string, string>();
    for (let round = 0; round < 60; round++) {
      const at = round % 2 === 0 ? 'a' : 'b';
      if (round % 7 === 3) group.disk(at).nextCommitFails = round % 14 === 3 ? 'lost' : 'kept';
      await group.put(at, `k${round}`, `${round}`).then(
        () => acknowledged.set(`k${round}`, `${round}`),
        () => undefined,
      );
    }
    expect(acknowledged.size).toBeGreaterThan(40);
    for (const [key, text] of acknowledged) await group.alike(['a', 'b'], key, text);
    await expectAlike(group, 'a', 'b');
  });
});

describe('origins whose disks are put back', () => {
  it('converge where one is put back to the same image again and again, heard of by the other or not', async () => {
    const group = await two();
    const image = group.image('a');
    for (let round = 0; round < 4; round++) {
      const isHeard = round % 2 === 0;
      await group.put('a', `before${round}`, `${round}`);
      if (isHeard) await group.alike(['b'], `before${round}`, `${round}`);
      group.putBack('a', image);
      if (!isHeard) group.cut('a', 'b');
      await group.open('a');
      await group.put('a', `after${round}`, `${round}`);
      await group.pass(round * 100);
      group.mend('a', 'b');
    }
    for (const key of ['before0', 'before2', 'after3']) await group.alike(['a', 'b'], key, key.slice(-1));
    await expectAlike(group, 'a', 'b');
  });

  it('converge where all are put back at once: what none of them has any more is gone', async () => {
    const group = await two();
    await group.put('a', 'kept', 'v');
    await group.alike(['b'], 'kept', 'v');
    const images = ['a', 'b'].map((name) => [name, group.image(name)] as const);
    await group.put('a', 'lost', 'v');
    await group.alike(['b'], 'lost', 'v');
    for (const [name, image] of images) group.putBack(name, image);
    await group.open('a');
    await group.open('b', ['a']);
    await group.put('a', 'after', 'v');
    await group.alike(['a', 'b'], 'after', 'v');
    await group.alike(['a', 'b'], 'kept', 'v');
    await expectAlike(group, 'a', 'b');
    expect(await group.text('b', 'lost')).toBe(null);
  });

  it('bring back a namespace that only the one below the floor had, with its records and its home (R8)', async () => {
    const group = await two({ tombstoneRetentionMs: 4000 });
    const image = group.image('a');
    await purged(group);
    group.cut('a', 'b');
    group.putBack('a', image);
    await group.open('a');
    await group.until(group.at('a').create('made alone', group.call()));
    await group.put('a', 'k', 'v', { namespace: 'made alone' });
    group.mend('a', 'b');
    await group.beginsAnew('a');
    const request = { namespace: 'made alone', key: 'k', session: emptySession };
    await group.untilHolds(async () => {
      const asked = ['a', 'b'].map((name) => group.until(group.at(name).get(request, group.call())));
      const answers = await Promise.allSettled(asked);
      return answers.every((answer) => answer.status === 'fulfilled' && answer.value.record?.kind === 'live');
    });
    expect((await group.at('b').find('made alone')).home).toBe(group.at('a').identity.id);
    expect((await group.write('b', absent, { namespace: 'made alone' })).written).toHaveLength(1);
  });
});
