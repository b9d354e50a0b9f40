import { afterEach, describe, expect, it } from 'vitest';
import type { NamespaceId, NamespaceInfo } from '../../src/model/namespace.ts';
import type { MemberId } from '../../src/model/position.ts';
import { namespacesPage } from '../../src/rpc/server/namespaces-page.ts';
import { aCall, type Loopback, overLoopback, upstreamWith } from './loopback.ts';

const namespace = (title: string, index: number): NamespaceInfo => ({
  id: index.toString(16).padStart(32, '0') as NamespaceId,
  title,
  home: '1'.repeat(16) as MemberId,
});

/** More than one message of gRPC holds: titles of the greatest length, in order. */
const many = Array.from({ length: 12_000 }, (_, i) => namespace(`${i}`.padStart(6, '0').padEnd(500, 'x'), i));

const closing: Loopback[] = [];

afterEach(async () => {
  for (const loopback of closing.splice(0)) await loopback.close();
});

describe('a list of namespaces', () => {
  it('arrives whole at a client, however many messages it takes', async () => {
    let asked = 0;
    const loopback = await overLoopback(
      upstreamWith({
        namespaces: async () => {
          asked++;
          return many;
        },
      }),
    );
    closing.push(loopback);
    expect(await loopback.remote.namespaces(aCall())).toEqual(many);
    expect(asked).toBeGreaterThan(1);
  });

  it('goes on behind the last title of the page before, also where that namespace is gone by then', () => {
    const all = ['a', 'b', 'c', 'd'].map(namespace);
    const first = namespacesPage(all, { limit: 2, cursor: '' });
    expect(first.namespaces.map(({ title }) => title)).toEqual(['a', 'b']);
    const without = all.filter(({ title }) => title !== 'b');
    const second = namespacesPage(without, { limit: 2, cursor: first.cursor });
    expect(second).toEqual({ namespaces: all.slice(2), cursor: '' });
  });

  it('is in the order of the titles’ bytes whatever order the node gives', () => {
    const all = ['\u{1f600}', '\uffee', 'a'].map(namespace);
    const titles: string[] = [];
    for (let cursor = ''; ; ) {
      const page = namespacesPage(all, { limit: 1, cursor });
      titles.push(...page.namespaces.map(({ title }) => title));
      cursor = page.cursor;
      if (cursor === '') break;
    }
    expect(titles).toEqual(['a', '\uffee', '\u{1f600}']);
  });

  it('refuses a cursor that is none', () => {
    expect(() => namespacesPage([], { limit: 0, cursor: 'AAAA' })).toThrow(/no cursor/);
  });
});
