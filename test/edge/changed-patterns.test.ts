import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RecordKey } from '../../src/model/key.ts';
import type { GetAnswer } from '../../src/model/key-value.ts';
import type { NamespaceInfo } from '../../src/model/namespace.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import type { Origin } from '../../src/origin/origin.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { MemoryDisk } from '../support/memory-store.ts';
import { aCall, Cable, Chain, covering, get, isLive, put, textOf, until } from './chain.ts';

let chain: Chain;
let origin: Origin;
/** Followers that were sent every record. */
let wholeScans: number;

beforeEach(async () => {
  chain = new Chain();
  wholeScans = 0;
  const scanStarted = (kind: string) => {
    if (kind === 'records') wholeScans++;
  };
  origin = await chain.origin('o', { observer: { ...silentReplicationObserver, scanStarted } });
  await origin.create('ns', aCall());
});

afterEach(() => chain.close());

describe('an edge whose patterns come to mean something else', () => {
  it('keeps what it copies of a namespace when another one is deleted', async () => {
    await origin.create('other', aCall());
    await put(origin, 'k', 'v');
    await put(origin, 'k', 'gone', 'other');
    const cable = new Cable(origin);
    const edge = await chain.edge('e', [cable.upstream], { replicate: ['ns', 'other'] });
    await isLive(edge);
    const before = wholeScans;
    await origin.remove('other', aCall());
    // The pattern names nothing any more, which status says once the scopes are opened anew.
    await until(async () => (await edge.status()).notes.some((note) => note.includes('other')));
    await until(async () =>
      (await edge.status()).scopes.some(({ kind, state }) => kind === 'copy' && state === 'live'),
    );
    cable.cut = true;
    const kept = await get(edge, 'k');
    expect([kept.source, textOf(kept), await scansOfCopies(before)]).toEqual(['copy', 'v', 0]);
  });

  it('copies from nothing what a pattern comes to name, and all of it', async () => {
    const cable = new Cable(origin);
    const edge = await chain.edge('e', [cable.upstream], { replicate: ['ns', 'soon'] });
    await put(origin, 'k', 'v');
    const made: NamespaceInfo = (await origin.create('soon', aCall())).namespace;
    await put(origin, 'k', 'new', made.id);
    await isLive(edge);
    cable.cut = true;
    for (const [namespace, value] of [
      ['ns', 'v'],
      ['soon', 'new'],
    ] as const) {
      const held = await get(edge, 'k', { namespace });
      expect([held.source, textOf(held)]).toEqual(['copy', value]);
    }
  });

  it('does not take what is erased while it is read for absent', async () => {
    const store = new MemoryDisk().open();
    const [read, erase] = [store.read.bind(store), store.erase.bind(store)];
    let isOver: Promise<void> | undefined;
    let goOn = () => {};
    const copyStore = Object.assign(store, {
      // As where the chunks of a value are gone since the look at its row: the row is looked at again.
      read: async (key: RecordKey) => {
        await isOver;
        return read(key);
      },
      erase: async () => {
        await erase();
        goOn();
        await reading;
      },
    });
    let reading: Promise<GetAnswer> | undefined;
    const edge = await chain.edge('e', [origin], { copyStore, replicate: ['ns', 'soon'] });
    await put(origin, 'k', 'v');
    await until(async () => (await get(edge, 'warm')).source === 'copy');
    await covering(edge, (await put(origin, 'last', 'v')).covered);
    isOver = new Promise((resolve) => {
      goOn = resolve;
    });
    reading = get(edge, 'k');
    await origin.create('soon', aCall());
    expect(textOf(await reading)).toBe('v');
  });

  it('settles where its cache follows a relay that has yet to hear of a namespace', async () => {
    for (const title of ['one', 'cached']) await origin.create(title, aCall());
    const cable = new Cable(origin);
    const relay = await chain.edge('r', [cable.upstream], { replicate: ['cached'] });
    await isLive(relay);
    // The relay does not hold what is copied here, so the copy follows the origin.
    const edge = await chain.edge('e', [relay, slowToCopy(origin)], { replicate: ['one', 'two'], cache: ['cached'] });
    await until(async () => {
      const { notes, scopes } = await edge.status();
      return notes.length === 1 && scopes.length === 2 && scopes.every(({ state }) => state === 'live');
    });
    cable.cut = true;
    await origin.create('two', aCall());
    await put(origin, 'k', 'v', 'two');
    let isKnown = false;
    await until(async () => {
      const { notes, scopes } = await edge.status();
      const isUnknown = notes.some((note) => note.includes('two'));
      isKnown ||= scopes.length > 0 && !isUnknown;
      expect(isKnown && isUnknown, 'it went back to what the relay knows').toBe(false);
      return (await get(edge, 'k', { namespace: 'two' })).source === 'copy';
    });
  });
});

/** What is copied from it takes a while to come. */
function slowToCopy(target: Origin): Upstream {
  return new Proxy(target, {
    get: (node, name: keyof Upstream) => {
      if (name !== 'follow') return (node[name] as (...args: unknown[]) => unknown).bind(node);
      return async function* (...args: Parameters<Upstream['follow']>) {
        if (args[0].role === 'copy') await new Promise((resolve) => setTimeout(resolve, 300));
        yield* node.follow(...args);
      };
    },
  });
}

/** The cache, whose scope has grown, is sent the registry alone; that is one scan of records. */
async function scansOfCopies(before: number): Promise<number> {
  return Math.max(0, wholeScans - before - 1);
}
