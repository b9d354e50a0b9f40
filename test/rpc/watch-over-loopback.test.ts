import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { emptySession } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import type { Origin } from '../../src/origin/origin.ts';
import type { WatchEvent, WatchRequest } from '../../src/rpc/client/watch-events.ts';
import { aCall, type Loopback, openOrigin, overLoopback } from './loopback.ts';

let origin: Origin;
let loopback: Loopback;
const closing: Array<() => Promise<void> | void> = [];

beforeEach(async () => {
  const opened = await openOrigin();
  closing.push(() => opened.close());
  origin = opened.origin;
  loopback = await overLoopback(origin);
  closing.push(() => loopback.close());
  await origin.create('books');
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function put(key: string, value: Uint8Array = Buffer.from(key)) {
  return origin.write({ namespace: 'books', session: emptySession, mutations: [{ kind: 'put', key, value }] }, aCall());
}

function watch(more: Partial<WatchRequest> = {}) {
  const ending = new AbortController();
  const request = { namespace: 'books', prefix: '', fromStart: false, ...more };
  const events = loopback.remote.watch(request, ending.signal)[Symbol.asyncIterator]();
  closing.push(() => ending.abort(new Error('the test is over')));
  return {
    end: () => ending.abort(new Error('enough')),
    next: async (): Promise<WatchEvent> => {
      const { done, value } = await events.next();
      if (done === true) throw new Error('the stream ended');
      return value;
    },
  };
}

async function untilCaughtUp(watching: ReturnType<typeof watch>): Promise<WatchEvent[]> {
  for (const seen: WatchEvent[] = []; ; ) {
    const event = await watching.next();
    seen.push(event);
    if (event.kind === 'caught-up') return seen;
  }
}

const keysOf = (events: readonly WatchEvent[]) => events.flatMap((event) => ('key' in event ? [event.key] : []));

describe('a watch over gRPC', () => {
  it('has no longer prefix than a key', async () => {
    const told = await watch({ prefix: 'a'.repeat(513) })
      .next()
      .catch(({ code, details }) => ({ code, reason: details.reason }));
    expect(told).toEqual({ code: 'INVALID_ARGUMENT', reason: 'bad-prefix' });
    expect(await watch({ prefix: 'a'.repeat(512) }).next()).toMatchObject({ kind: 'caught-up' });
  });

  it('tells from now on what is put and deleted under its prefix, and nothing else', async () => {
    await put('a/before');
    const watching = watch({ prefix: 'a/' });
    expect(keysOf(await untilCaughtUp(watching))).toEqual([]);
    await put('b/other');
    const { written } = await put('a/new');
    const event = await watching.next();
    expect(event).toMatchObject({ kind: 'put', key: 'a/new', stamp: written[0]?.stamp });
    expect(event.kind === 'put' && Buffer.from(event.value ?? []).toString()).toBe('a/new');
    await origin.write(
      { namespace: 'books', session: emptySession, mutations: [{ kind: 'delete', key: 'a/new' }] },
      aCall(),
    );
    expect(await watching.next()).toMatchObject({ kind: 'delete', key: 'a/new' });
  });

  it('begins with all records where it is asked to', async () => {
    await put('one');
    await put('two');
    expect(keysOf(await untilCaughtUp(watch({ fromStart: true }))).sort()).toEqual(['one', 'two']);
  });

  it('goes on behind its cursor without a gap', async () => {
    const first = watch();
    await untilCaughtUp(first);
    await put('seen');
    const { cursor } = await first.next();
    if (cursor === undefined) throw new Error('a whole step carries no cursor');
    first.end();
    await put('missed/1');
    await put('missed/2');
    const keys = keysOf(await untilCaughtUp(watch({ cursor })));
    expect(keys).toEqual(expect.arrayContaining(['missed/1', 'missed/2']));
    expect(keys).not.toContain('seen');
  });

  it('gives a cursor when it has caught up, before anything was written', async () => {
    const [caughtUp] = (await untilCaughtUp(watch())).slice(-1);
    if (caughtUp?.cursor === undefined) throw new Error('no cursor');
    await put('next');
    expect(keysOf(await untilCaughtUp(watch({ cursor: caughtUp.cursor })))).toEqual(['next']);
  });

  it('leaves a value of more than 1 MiB behind', async () => {
    const watching = watch();
    await untilCaughtUp(watching);
    await put('large', Buffer.alloc(1024 * 1024 + 1));
    const event = await watching.next();
    expect(event).toMatchObject({ kind: 'put', key: 'large' });
    expect('value' in event).toBe(false);
  });

  it.each([
    ['that is none', 'nonsense'],
    ['of another version', Buffer.from('[2,"","",[]]').toString('base64url')],
    ['of another namespace', Buffer.from(`[1,"${'a'.repeat(32)}","",[]]`).toString('base64url')],
  ])('refuses a cursor %s', async (_, cursor) => {
    await expect(watch({ cursor }).next()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('refuses the cursor of a watch of another prefix', async () => {
    const [caughtUp] = (await untilCaughtUp(watch({ prefix: 'a/' }))).slice(-1);
    const cursor = caughtUp?.cursor ?? '';
    await expect(watch({ prefix: 'b/', cursor }).next()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('refuses an unknown namespace, and the registry', async () => {
    await expect(watch({ namespace: 'nobody' }).next()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(watch({ namespace: '0'.repeat(32) }).next()).rejects.toMatchObject({ name: 'MeridianError' });
  });

  it('ends when its namespace is deleted, and outlives a new title and the end of another namespace', async () => {
    await origin.create('other');
    const watching = watch();
    await untilCaughtUp(watching);
    await origin.rename('books', 'shelf', aCall());
    await origin.remove('other', aCall());
    const mutations = [{ kind: 'put', key: 'still', value: Buffer.from('here') }] as const;
    await origin.write({ namespace: 'shelf', session: emptySession, mutations }, aCall());
    expect(await watching.next()).toMatchObject({ kind: 'put', key: 'still' });
    await origin.remove('shelf', aCall());
    await expect(watching.next()).rejects.toMatchObject({
      code: 'NOT_FOUND',
      details: { reason: 'namespace-deleted' },
    });
  });

  it('does not wait for ever where its name was looked up in a state that is past: the namespace is dead', async () => {
    const before = await origin.find('books');
    await origin.remove('books', aCall());
    await origin.create('books');
    const stale = await overLoopback(
      new Proxy(origin as Upstream, {
        get: (target, name: keyof Upstream) => {
          const find: Upstream['find'] = async (named, call, session = emptySession) => {
            return session.vector.size === 0 ? before : target.find(named, call, session);
          };
          return name === 'find' ? find : (target[name] as (...args: unknown[]) => unknown).bind(target);
        },
      }),
    );
    closing.push(() => stale.close());
    const watching = (more: Partial<WatchRequest>) => {
      const request = { namespace: 'books', prefix: '', fromStart: false, ...more };
      return stale.remote.watch(request, new AbortController().signal)[Symbol.asyncIterator]();
    };
    await expect(watching({}).next()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { session } = await origin.rename('books', 'books', aCall());
    const named = watching({ session });
    closing.push(async () => void (await named.return?.(undefined)));
    expect((await named.next()).value).toMatchObject({ kind: 'caught-up' });
  });

  it('is refused beyond the number that the node answers at once, until one ends', async () => {
    const few = await overLoopback(origin, { watchersMax: 1 });
    closing.push(() => few.close());
    const watchFew = (ending: AbortController) =>
      few.remote.watch({ namespace: 'books', prefix: '', fromStart: false }, ending.signal)[Symbol.asyncIterator]();
    const first = new AbortController();
    const events = watchFew(first);
    await events.next();
    const refused = watchFew(new AbortController()).next();
    await expect(refused).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      details: { reason: 'too-many-watchers', limit: 1, retryAfterMs: 5000 },
    });
    first.abort(new Error('enough'));
    await events.next().catch(() => {});
    for (let again: unknown; again === undefined; ) {
      const ending = new AbortController();
      again = await watchFew(ending)
        .next()
        .catch(() => undefined);
      ending.abort(new Error('enough'));
    }
  });
});
