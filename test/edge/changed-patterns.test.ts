import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NamespaceInfo } from '../../src/model/namespace.ts';
import type { Origin } from '../../src/origin/origin.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { aCall, Cable, Chain, get, isLive, put, textOf, until } from './chain.ts';

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
});

/** The cache, whose scope has grown, is sent the registry alone; that is one scan of records. */
async function scansOfCopies(before: number): Promise<number> {
  return Math.max(0, wholeScans - before - 1);
}
