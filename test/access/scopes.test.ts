import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Gate } from '../../src/access/gate.ts';
import type { Surroundings } from '../../src/model/cluster.ts';
import type { FollowOpen } from '../../src/model/feed.ts';
import { feedVersions } from '../../src/model/feed-version.ts';
import type { KeyRange } from '../../src/model/filter.ts';
import { encodeListCursor } from '../../src/model/list-cursor.ts';
import { type NamespaceId, namespaceKey, registryNamespace } from '../../src/model/namespace.ts';
import { emptySession } from '../../src/model/session.ts';
import { type Right, rights } from '../../src/model/token.ts';
import { around, type Peer, type Upstream } from '../../src/model/upstream.ts';
import type { Origin } from '../../src/origin/origin.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { aCall } from '../rpc/loopback.ts';
import { adminToken, type GuardedOrigin, openGuardedOrigin } from './guarded-origin.ts';

const session = emptySession;
const denied = { code: 'PERMISSION_DENIED' };

let guarded: GuardedOrigin;
let mine: NamespaceId;
let theirs: NamespaceId;

beforeAll(async () => {
  guarded = await openGuardedOrigin();
  const admin = guarded.as(adminToken);
  mine = (await admin.create('team-a', aCall())).namespace.id;
  theirs = (await admin.create('other', aCall())).namespace.id;
  for (const namespace of [mine, theirs]) {
    const mutations = ['app/1', 'app/2', 'ap', 'b', 'app'].map((key) => ({
      ...{ kind: 'put' as const, key, value: Buffer.from(`secret of ${key}`) },
    }));
    await admin.write({ namespace, mutations, session }, aCall());
  }
});

afterAll(() => guarded.close());

/** Every call that names a namespace. */
const naming: Readonly<Record<string, (node: Upstream, namespace: string) => Promise<unknown>>> = {
  get: (node, namespace) => node.get({ namespace, key: 'k', session }, aCall()),
  list: (node, namespace) => node.list({ namespace, prefix: '', limit: 5, session }, aCall()),
  write: (node, namespace) => node.write({ namespace, mutations: [{ kind: 'delete', key: 'k' }], session }, aCall()),
  find: (node, namespace) => node.find(namespace, aCall()),
  rename: (node, namespace) => node.rename(namespace, 'team-b', aCall()),
  remove: (node, namespace) => node.remove(namespace, aCall()),
  moveHome: (node, namespace) => node.moveHome(namespace, 'x', aCall()),
};

describe('whether a namespace exists', () => {
  it.each(Object.keys(naming))('is not told by the refusal of %s to whoever may not use it', async (call) => {
    const run = naming[call] ?? expect.fail();
    for (const namespace of ['team-*', 'team-a', mine]) {
      const token = await guarded.issue({ namespace, rights: ['read', 'write', 'list', 'admin'] });
      const refusalOf = async (name: string) => {
        const error: unknown = await run(guarded.as(token), name).catch((thrown: unknown) => thrown);
        const { code, message, details } = error as { code: string; message: string; details: object };
        return { code, message: message.replace(name, 'NAME'), details };
      };
      const refused = await refusalOf(theirs);
      expect(refused).toMatchObject(denied);
      expect(await refusalOf('0123456789abcdef0123456789abcdef')).toEqual(refused);
      expect(await refusalOf('other')).toEqual(await refusalOf('no other'));
    }
  });
});

describe('the status of a node', () => {
  const seenBy = async (namespace: string) => {
    const status = await guarded.origin.status();
    const telling = {
      ...status,
      notes: ['--cache names shop-b, which is no namespace'],
      scopes: status.scopes.map((scope) => ({ ...scope, filter: ['other/app'] })),
    };
    const { hotKeys: _unknown, ...unknowing } = telling;
    const upstream = Object.assign(Object.create(guarded.origin) as Origin, {
      status: async () => telling,
      around: async () => [unknowing],
    });
    const token = await guarded.issue({ namespace, rights: ['status'] });
    const gate = new Gate({ upstream, source: guarded.origin, clock: systemClock, adminHash: () => undefined });
    const node = gate.enter({ authorization: `Bearer ${token}`, address: '192.0.2.1' });
    return [await node.status(aCall()), ...(await around(node, aCall()))];
  };

  it('names no namespace to whoever may not know of all of them, of this node or of those around it', async () => {
    const seen = await seenBy('team-*');
    expect(seen).toHaveLength(2);
    for (const status of seen) {
      expect(JSON.stringify(status)).not.toMatch(/shop-b|other/);
      expect(status.notes).toEqual([expect.stringContaining('tokens for all namespaces')]);
    }
    for (const status of await seenBy('*')) {
      expect(status.notes).toEqual(['--cache names shop-b, which is no namespace']);
      expect(status.scopes[0]?.filter).toEqual(['other/app']);
    }
  });

  it('does not make of hot keys that a node does not know that there are none', async () => {
    const [own, other] = await seenBy('*');
    expect([own?.hotKeys, other?.hotKeys]).toEqual([[], undefined]);
  });
});

const get = (upstream: Upstream, namespace: string, key: string) => upstream.get({ namespace, key, session }, aCall());
const list = (upstream: Upstream, namespace: string, prefix: string, cursor?: string) =>
  upstream.list({ namespace, prefix, limit: 100, session, ...(cursor === undefined ? {} : { cursor }) }, aCall());
const remove = (upstream: Upstream, namespace: string, ...keys: string[]) =>
  upstream.write({ namespace, mutations: keys.map((key) => ({ kind: 'delete', key })), session }, aCall());

async function firstOf(
  upstream: Upstream,
  role: FollowOpen['role'],
  ...includes: readonly KeyRange[]
): Promise<string> {
  const ending = new AbortController();
  const node = { name: 'test', role: 'edge', id: '00000000000000ff', region: '' } as const;
  const asked = {
    ...feedVersions,
    node,
    nonce: 'n',
    values: { kind: 'all' },
    start: { kind: 'nothing' },
  } as const;
  const open: FollowOpen = { ...asked, role, filter: { includes, excludes: [] } };
  try {
    for await (const event of upstream.follow(open, [] as never, ending.signal)) return event.kind;
  } finally {
    ending.abort(new Error('seen enough'));
  }
  return 'nothing';
}

/** Every method of a node, with the rights of which one is enough (of `all`, each is needed). */
const asked: ReadonlyArray<{
  readonly name: keyof Peer | keyof Surroundings;
  readonly any?: readonly Right[];
  readonly all?: readonly Right[];
  readonly ask: (upstream: Peer) => Promise<unknown>;
}> = [
  {
    name: 'peek',
    any: ['read', 'replicate'],
    ask: async (to) => {
      await get(guarded.origin, mine, 'app/1'); // Now it is in memory, and can be answered at once.
      if (to.peek({ namespace: 'team-a', key: 'app/1', session }) === undefined) throw denied;
    },
  },
  { name: 'get', any: ['read', 'replicate'], ask: (to) => get(to, 'team-a', 'app/1') },
  { name: 'list', any: ['list', 'replicate'], ask: (to) => list(to, 'team-a', '') },
  { name: 'write', any: ['write'], ask: (to) => remove(to, 'team-a', 'nothing-there') },
  {
    name: 'follow',
    any: ['watch', 'replicate'],
    ask: (to) => firstOf(to, 'watch', { namespace: mine, prefix: '' }),
  },
  { name: 'follow', any: ['replicate'], ask: (to) => firstOf(to, 'cache', { namespace: '*', prefix: '' }) },
  { name: 'follow', any: ['replicate'], ask: (to) => firstOf(to, 'watch', { namespace: '*', prefix: '' }) },
  { name: 'create', any: ['admin'], ask: (to) => to.create('team-new', aCall()) },
  {
    name: 'find',
    any: ['read', 'write', 'list', 'watch', 'replicate', 'admin'],
    ask: (to) => to.find('team-a', aCall()),
  },
  {
    name: 'namespaces',
    any: ['read', 'write', 'list', 'watch', 'replicate', 'admin'],
    ask: (to) => to.namespaces(aCall()),
  },
  { name: 'rename', any: ['admin'], ask: (to) => to.rename('team-a', 'team-a', aCall()) },
  { name: 'remove', any: ['admin'], ask: (to) => to.remove('no-such', aCall()) },
  { name: 'moveHome', any: ['admin'], ask: (to) => to.moveHome('team-a', 'origin-of-test', aCall()) },
  { name: 'status', any: ['status', 'replicate', 'admin'], ask: (to) => to.status(aCall()) },
  { name: 'members', any: ['status', 'replicate', 'admin'], ask: (to) => to.members(aCall()) },
  { name: 'around', any: ['status', 'replicate', 'admin'], ask: (to) => around(to, aCall()) },
  { name: 'removeMember', any: ['admin'], ask: (to) => to.removeMember({ name: 'none', force: false }, aCall()) },
  { name: 'digest', any: ['replicate', 'admin'], ask: (to) => to.digest({ second: 1 }, aCall()) },
  {
    name: 'digestRange',
    any: ['replicate'],
    ask: (to) => to.digestRange({ namespace: mine, prefix: '', second: 1, hashes: false }, aCall()),
  },
  {
    name: 'digestRange',
    any: ['replicate'],
    ask: (to) => to.digestRange({ namespace: registryNamespace, prefix: '', second: 1, hashes: false }, aCall()),
  },
  {
    name: 'createToken',
    any: ['admin'],
    ask: (to) => to.createToken({ name: '', namespace: '*', prefix: '', rights: ['admin'] }, aCall()),
  },
  { name: 'tokens', any: ['admin'], ask: (to) => to.tokens(aCall()) },
  { name: 'rotateToken', any: ['admin'], ask: (to) => to.rotateToken({ name: 'none', graceMs: 0 }, aCall()) },
  { name: 'revokeToken', any: ['admin'], ask: (to) => to.revokeToken('none', aCall()) },
  {
    name: 'report',
    all: ['replicate', 'admin'],
    ask: (to) => to.report({ member: 'x', initiator: 'x', reporter: 'x' } as never, aCall()),
  },
  {
    name: 'follow',
    all: ['replicate', 'admin'],
    ask: (to) => firstOf(to, 'peer', { namespace: '*', prefix: '' }),
  },
];

describe('a token', () => {
  it('of each set of rights is refused exactly what none of its rights permits', async () => {
    const methods = new Set(asked.map(({ name }) => name));
    // One that is added to the interface and not here would go unchecked.
    const prototype = Object.getPrototypeOf(Object.getPrototypeOf(guarded.as(adminToken)));
    // Its own, with checks of their own.
    const besides = ['constructor', 'checkPeer', 'administered'];
    const own = Object.getOwnPropertyNames(prototype).filter((name) => !besides.includes(name));
    expect([...methods].filter((name) => name !== 'report').sort()).toEqual(own.sort());
    for (const held of rights) {
      const token = await guarded.issue({ rights: [held] });
      for (const { name, any = [], all, ask } of asked) {
        const outcome = await ask(guarded.as(token) as Peer).then(
          () => 'permitted',
          (error: { code?: string }) => (error.code === 'PERMISSION_DENIED' ? 'denied' : 'permitted'),
        );
        const isEnough = all === undefined ? any.includes(held) : all.every((right) => right === held);
        expect(`${held} ${name} ${outcome}`).toBe(`${held} ${name} ${isEnough ? 'permitted' : 'denied'}`);
      }
    }
  });

  it('reaches its namespace by title and by id, whichever of the two its pattern is', async () => {
    for (const pattern of ['team-a', 'team-*', mine]) {
      const upstream = guarded.as(
        await guarded.issue({ namespace: pattern, rights: ['read', 'list', 'admin', 'watch'] }),
      );
      for (const name of ['team-a', mine]) {
        expect((await get(upstream, name, 'app/1')).record).toMatchObject({ kind: 'live' });
        expect(upstream.peek({ namespace: name, key: 'app/1', session })?.record).toMatchObject({ kind: 'live' });
        expect((await list(upstream, name, '')).keys).toHaveLength(5);
        expect(await upstream.find(name, aCall())).toMatchObject({ id: mine });
      }
      const seen = (await upstream.namespaces(aCall())).map(({ id }) => id);
      expect(seen).toContain(mine);
      expect(seen).not.toContain(theirs);
      for (const name of ['other', theirs, 'team', 'no-such', 'f'.repeat(32), registryNamespace]) {
        await expect(get(upstream, name, 'app/1'), `${pattern} ${name}`).rejects.toMatchObject(denied);
        expect(upstream.peek({ namespace: name, key: 'app/1', session })).toBeUndefined();
        await expect(list(upstream, name, ''), `${pattern} ${name}`).rejects.toMatchObject(denied);
        await expect(upstream.remove(name, aCall()), `${pattern} ${name}`).rejects.toMatchObject(denied);
      }
      expect(await firstOf(upstream, 'watch', { namespace: mine, prefix: '' })).toBe('opened');
      const outside: readonly KeyRange[] = [
        { namespace: theirs, prefix: '' },
        { namespace: '*', prefix: '' },
        { namespace: registryNamespace, prefix: '' },
        { namespace: registryNamespace, prefix: 'token/' },
        { namespace: registryNamespace, prefix: namespaceKey(theirs) },
      ];
      for (const range of outside) {
        const ofBoth = firstOf(upstream, 'watch', { namespace: mine, prefix: '' }, range);
        await expect(ofBoth, JSON.stringify(range)).rejects.toMatchObject(denied);
      }
    }
  });

  it('of one namespace tells nothing of whether another one is there', async () => {
    const upstream = guarded.as(await guarded.issue({ namespace: 'team-*', rights: ['read', 'write', 'admin'] }));
    const messageOf = (name: string) => {
      return get(upstream, name, 'k').catch(({ message }: Error) => message.replaceAll(name, 'NAME'));
    };
    expect(await messageOf('other')).toBe(await messageOf('nobody'));
    expect(await messageOf(theirs)).toBe(await messageOf('e'.repeat(32)));
    await expect(upstream.find('e'.repeat(32), aCall())).rejects.toMatchObject(denied);
    await expect(upstream.find(theirs, aCall())).rejects.toMatchObject(denied);
  });

  it('with a prefix reaches no key, list, batch or namespace beyond it', async () => {
    const upstream = guarded.as(
      await guarded.issue({ prefix: 'app/', rights: ['read', 'list', 'write', 'watch', 'admin', 'replicate'] }),
    );
    expect((await get(upstream, mine, 'app/1')).record).toMatchObject({ kind: 'live' });
    expect((await list(upstream, mine, 'app/')).keys.map(({ key }) => key)).toEqual(['app/1', 'app/2']);
    for (const key of ['app', 'ap', 'b', 'App/1', 'app\u2044', '/app/', ' app/1']) {
      await expect(get(upstream, mine, key), key).rejects.toMatchObject(denied);
      await get(guarded.origin, mine, key);
      expect(upstream.peek({ namespace: mine, key, session }), key).toBeUndefined();
      await expect(remove(upstream, mine, 'app/x', key), key).rejects.toMatchObject(denied);
    }
    for (const prefix of ['', 'a', 'app', 'b']) {
      await expect(list(upstream, mine, prefix), prefix).rejects.toMatchObject(denied);
      await expect(firstOf(upstream, 'watch', { namespace: mine, prefix }), prefix).rejects.toMatchObject(denied);
      await expect(firstOf(upstream, 'copy', { namespace: mine, prefix }), prefix).rejects.toMatchObject(denied);
    }
    await expect(upstream.remove(mine, aCall())).rejects.toMatchObject(denied);
    await expect(upstream.rename(mine, 'mine-now', aCall())).rejects.toMatchObject(denied);
    await expect(upstream.create('mine-too', aCall())).rejects.toMatchObject(denied);
    await expect(upstream.tokens(aCall())).rejects.toMatchObject(denied);
  });

  it('with a prefix lists nothing beyond it by a cursor that was made up', async () => {
    const upstream = guarded.as(await guarded.issue({ namespace: mine, prefix: 'app/', rights: ['list'] }));
    const after = ['a', 'ap', 'app/', 'app/1', 'b', '~'];
    for (const key of after) {
      const { keys } = await list(upstream, mine, 'app/', encodeListCursor(mine, 'app/', key));
      expect(
        keys.every((listed) => listed.key.startsWith('app/')),
        key,
      ).toBe(true);
    }
    for (const [namespace, prefix] of [
      [mine, ''],
      [theirs, 'app/'],
    ] as const) {
      const foreign = list(upstream, mine, 'app/', encodeListCursor(namespace, prefix, 'a'));
      await expect(foreign).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });

  it('permits a key exactly where its prefix begins the key, whatever the characters are', async () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
      .filter((key) => key.isWellFormed() && key !== '.' && key !== '..');
    let number = 0;
    await fc.assert(
      fc.asyncProperty(text, text, fc.boolean(), async (prefix, other, isBehind) => {
        const key = isBehind ? prefix + other : other;
        const token = await guarded.issue({
          name: `property ${number++}`,
          namespace: 'team-a',
          prefix,
          rights: ['read'],
        });
        const outcome = await get(guarded.as(token), 'team-a', key).then(
          () => 'permitted',
          ({ code }: { code: string }) => code,
        );
        const begins = Buffer.from(key).subarray(0, Buffer.byteLength(prefix)).equals(Buffer.from(prefix));
        expect(outcome).toBe(begins ? 'permitted' : 'PERMISSION_DENIED');
      }),
      { numRuns: 60 },
    );
  });

  it('loses a namespace that is renamed out of its pattern, and gains none by renaming', async () => {
    const admin = guarded.as(adminToken);
    const { id } = (await admin.create('team-moving', aCall())).namespace;
    const upstream = guarded.as(await guarded.issue({ namespace: 'team-*', rights: ['read', 'admin', 'watch'] }));
    await get(upstream, id, 'k');
    await expect(upstream.rename(id, 'elsewhere', aCall())).rejects.toMatchObject(denied);
    await expect(upstream.rename(theirs, 'team-theirs', aCall())).rejects.toMatchObject(denied);
    await admin.rename(id, 'elsewhere', aCall());
    await expect(get(upstream, id, 'k')).rejects.toMatchObject(denied);
    await expect(get(upstream, 'elsewhere', 'k')).rejects.toMatchObject(denied);
    await expect(firstOf(upstream, 'watch', { namespace: id, prefix: '' })).rejects.toMatchObject(denied);
  });

  it('of one id takes no titles', async () => {
    const upstream = guarded.as(await guarded.issue({ namespace: mine, rights: ['admin', 'read'] }));
    await expect(upstream.rename(mine, 'somebodys-title', aCall())).rejects.toMatchObject(denied);
    await expect(upstream.create('somebodys-title', aCall())).rejects.toMatchObject(denied);
  });
});
