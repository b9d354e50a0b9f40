import { beforeEach, describe, expect, it } from 'vitest';
import { OriginGroup } from './origin-group.ts';

describe('changes of namespaces that meet in one commit', () => {
  let group: OriginGroup;

  beforeEach(async () => {
    group = new OriginGroup();
    await group.open('a');
    await group.until(group.at('a').create('old', group.call()));
  });

  async function titles(): Promise<string[]> {
    return (await group.at('a').namespaces()).map(({ title }) => title);
  }

  it('leave one title to a namespace that is renamed twice, and the others free', async () => {
    const origin = group.at('a');
    const renamed = await group.until(
      Promise.allSettled(['b', 'c', 'd'].map((title) => origin.rename('old', title, group.call()))),
    );
    expect(renamed.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(renamed[1]).toMatchObject({ reason: { code: 'UNAVAILABLE', details: { reason: 'namespace-moved' } } });
    expect(await titles()).toEqual(['b']);
    for (const title of ['old', 'c', 'd']) await group.until(origin.create(title, group.call()));
    expect(await titles()).toEqual(['b', 'c', 'd', 'old']);
  });

  it('release no title that another namespace has taken meanwhile', async () => {
    const origin = group.at('a');
    await group.until(
      Promise.allSettled([
        origin.rename('old', 'new', group.call()),
        origin.create('old', group.call()),
        origin.remove('old', group.call()),
      ]),
    );
    expect(await titles()).toEqual(['new', 'old']);
    await expect(group.until(origin.create('old', group.call()))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });
});
