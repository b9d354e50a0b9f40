import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Edge } from '../../src/edge/edge.ts';
import type { TokenScope } from '../../src/model/token.ts';
import { aCall, Chain, get, put, textOf, until } from '../edge/chain.ts';
import { type GuardedOrigin, openGuardedOrigin } from './guarded-origin.ts';

let chain: Chain;
let guarded: GuardedOrigin;

beforeEach(async () => {
  chain = new Chain();
  guarded = await openGuardedOrigin();
  for (const title of ['shop-a', 'shop-b', 'other']) {
    await guarded.origin.create(title);
    await put(guarded.origin, 'k', `of ${title}`, title);
  }
});

afterEach(async () => {
  await chain.close();
  await guarded.close();
});

interface Wishes {
  readonly scope: Partial<TokenScope>;
  readonly cache?: readonly string[];
  readonly replicate?: readonly string[];
}

async function edgeOf({ scope, ...patterns }: Wishes): Promise<Edge> {
  const token = await guarded.issue({ rights: ['replicate'], ...scope });
  return chain.edge('fra', [guarded.as(token)], patterns);
}

const read = (edge: Edge, namespace: string, key = 'k') => get(edge, key, { namespace });
const isLive = (edge: Edge) => {
  return until(async () => {
    const { scopes } = await edge.status();
    return scopes.length > 0 && scopes.every(({ state, boundMs }) => state === 'live' && boundMs !== undefined);
  });
};
const notesOf = async (edge: Edge) => (await edge.status()).notes.join('\n');
/** Cached, and as new as the feed. */
const isCached = (edge: Edge, namespace: string, value: string) => {
  return until(async () => {
    const answer = await read(edge, namespace).catch(() => undefined);
    return answer?.source === 'cache' && textOf(answer) === value;
  });
};

describe('an edge whose token is of some namespaces', () => {
  it('caches those that it names, follows what changes there, and is refused all else', async () => {
    const edge = await edgeOf({ scope: { namespace: 'shop-*' }, cache: ['shop-*'] });
    await isLive(edge);
    for (const title of ['shop-a', 'shop-b']) await isCached(edge, title, `of ${title}`);
    await put(guarded.origin, 'k', 'changed', 'shop-a');
    await isCached(edge, 'shop-a', 'changed');
    await expect(read(edge, 'other')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: 'upstream-refuses' },
      message: expect.stringContaining('may not read the namespace other'),
    });
  });

  it('is told what it may not follow where it asks for all, and how to ask for less', async () => {
    const edge = await edgeOf({ scope: { namespace: 'shop-*', prefix: 'k' } });
    await until(async () => (await notesOf(edge)).includes('may not replicate all namespaces'));
    expect(await notesOf(edge)).toContain("--cache 'shop-*/k*'");
    const copying = await edgeOf({ scope: { namespace: 'shop-a' }, cache: [], replicate: ['shop-b'] });
    const { id } = await guarded.origin.find('shop-b', aCall());
    await until(async () => (await notesOf(copying)).includes(`may not replicate the namespace ${id}`));
  });

  it('caches the keys of a prefix alone', async () => {
    const edge = await edgeOf({ scope: { namespace: 'shop-*', prefix: 'k' }, cache: ['shop-*/k*'] });
    await isLive(edge);
    await isCached(edge, 'shop-a', 'of shop-a');
    await expect(read(edge, 'shop-a', 'other')).rejects.toMatchObject({ details: { reason: 'upstream-refuses' } });
  });

  it('caches a namespace that is created later, and keeps what it has', async () => {
    const edge = await edgeOf({ scope: { namespace: 'shop-*' }, cache: ['shop-*'] });
    await isLive(edge);
    await isCached(edge, 'shop-a', 'of shop-a');
    await guarded.origin.create('shop-new');
    await put(guarded.origin, 'k', 'new', 'shop-new');
    await isCached(edge, 'shop-new', 'new');
    expect((await read(edge, 'shop-a')).source).toBe('cache');
  });

  it('follows the rest where a title leaves its reach, shows nothing of that any more, and has it again when it is back', async () => {
    const edge = await edgeOf({ scope: { namespace: 'shop-*' }, cache: ['shop-*'] });
    await isLive(edge);
    await isCached(edge, 'shop-a', 'of shop-a');
    const { id } = await guarded.origin.find('shop-a', aCall());
    await guarded.origin.rename('shop-a', 'hidden');
    await put(guarded.origin, 'k', 'while hidden', 'hidden');
    await until(() =>
      read(edge, id).then(
        () => false,
        () => true,
      ),
    );
    await put(guarded.origin, 'k', 'meanwhile', 'shop-b');
    await isCached(edge, 'shop-b', 'meanwhile');
    expect(await notesOf(edge)).toBe('');
    await guarded.origin.rename('hidden', 'shop-a');
    await isCached(edge, 'shop-a', 'while hidden');
  });

  it('leaves out what its patterns name and its token does not, and says so', async () => {
    const edge = await edgeOf({ scope: { namespace: 'shop-a' }, cache: ['shop-*'] });
    await until(async () => (await notesOf(edge)).includes('--cache names shop-b'));
    await isLive(edge);
    await isCached(edge, 'shop-a', 'of shop-a');
    await put(guarded.origin, 'k', 'changed', 'shop-a');
    await isCached(edge, 'shop-a', 'changed');
  });

  it('copies a namespace and a prefix of another, and drops the copy whose title leaves its reach', async () => {
    const edge = await edgeOf({
      scope: { namespace: 'shop-*', prefix: '' },
      cache: ['shop-*'],
      replicate: ['shop-a', 'shop-b/k*'],
    });
    await isLive(edge);
    for (const title of ['shop-a', 'shop-b']) expect((await read(edge, title)).source).toBe('copy');
    const { id } = await guarded.origin.find('shop-a', aCall());
    await guarded.origin.rename('shop-a', 'hidden');
    await until(() =>
      read(edge, id).then(
        () => false,
        () => true,
      ),
    );
    await put(guarded.origin, 'k', 'meanwhile', 'shop-b');
    await until(async () => {
      const answer = await read(edge, 'shop-b');
      return answer.source === 'copy' && textOf(answer) === 'meanwhile';
    });
  });
});
