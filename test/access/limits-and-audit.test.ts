import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AuditEntry } from '../../src/access/audit.ts';
import { Gate } from '../../src/access/gate.ts';
import { TokenRates } from '../../src/access/token-rates.ts';
import { hashOfToken } from '../../src/access/token-text.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { AuditFile } from '../../src/node/audit-file.ts';
import { loggerTo, silentLogger } from '../../src/runtime/logger.ts';
import { nextTurn } from '../../src/runtime/next-turn.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { FakeClock } from '../edge/fake-clock.ts';
import { aCall, upstreamWith } from '../rpc/loopback.ts';
import { adminToken, type GuardedOrigin, openGuardedOrigin } from './guarded-origin.ts';

const session = emptySession;
let guarded: GuardedOrigin;

beforeAll(async () => {
  guarded = await openGuardedOrigin();
  await guarded.origin.create('config');
});

afterAll(() => guarded.close());

const openGate = {
  upstream: upstreamWith({}),
  source: { knowsTokens: () => true, token: () => undefined, namespace: () => undefined },
  clock: systemClock,
  adminHash: () => undefined,
};
const get = (upstream: Upstream, key = 'k') => upstream.get({ namespace: 'config', key, session }, aCall());
const put = (upstream: Upstream, ...values: readonly Buffer[]) => {
  const mutations = values.map((value, index) => ({ kind: 'put' as const, key: `k/${index}`, value }));
  return upstream.write({ namespace: 'config', mutations, session }, aCall());
};

/** The origin as whoever brings the token may use it within one moment. */
function standingStill(token: string): Upstream {
  const { origin } = guarded;
  const gate = new Gate({ upstream: origin, source: origin, clock: new FakeClock(), adminHash: () => undefined });
  return gate.enter({ authorization: `Bearer ${token}`, address: '192.0.2.1' });
}

/** A connection that a test closes. */
class FakeConnection extends EventEmitter {
  destroyed = false;

  close(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

describe('the connections of a token', () => {
  it('are counted over all ports, until they close, and refused beyond its limit', async () => {
    const token = await guarded.issue({ limits: { connectionsMax: 2 } });
    const enter = (connection: FakeConnection, text = token) => {
      return guarded.gate.enter({ authorization: `Bearer ${text}`, address: '192.0.2.9', connection });
    };
    const [first, second, third] = [new FakeConnection(), new FakeConnection(), new FakeConnection()];
    for (const connection of [first, second, first, second]) enter(connection);
    expect(() => enter(third)).toThrow(
      expect.objectContaining({
        code: 'RESOURCE_EXHAUSTED',
        details: { reason: 'token-connections', limit: 2, seen: 3, retryAfterMs: 5000 },
      }),
    );
    enter(third, adminToken);
    first.close();
    enter(third);
    expect(() => enter(new FakeConnection())).toThrow(/2 connections/);
    const rotated = await guarded.issue({ limits: { connectionsMax: 1 } });
    for (let left = 20; left > 0; left--) enter(second, rotated);
    expect(second.listenerCount('close')).toBe(1);
  });

  it('are one share of the node’s time, strangers of one address another, and the last who proved himself counts', async () => {
    const { gate } = guarded;
    const [ours, more, theirs] = [new FakeConnection(), new FakeConnection(), new FakeConnection()];
    const token = await guarded.issue({});
    const enter = (connection: FakeConnection, text: string) => {
      return gate.enter({ authorization: `Bearer ${text}`, address: '192.0.2.9', connection });
    };
    const address = '192.0.2.9';
    expect(gate.shareOf(ours, address)).toBe(gate.shareOf(theirs, address));
    expect(gate.shareOf(ours, address)).not.toBe(gate.shareOf(theirs, '192.0.2.10'));
    for (const connection of [ours, more]) enter(connection, token);
    expect(() => enter(theirs, 'wrong')).toThrow(/not valid/);
    expect(gate.shareOf(ours, address)).toBe(gate.shareOf(more, '192.0.2.10'));
    expect(gate.shareOf(ours, address)).not.toBe(gate.shareOf(theirs, address));
    enter(more, adminToken);
    expect(gate.shareOf(more, address)).toBe('admin');
    const open = new Gate({ ...openGate, asksForTokens: false });
    expect(open.shareOf(ours, address)).toBe(ours);
  });
});

describe('the limits of a token', () => {
  it('let through a second’s worth at once, owe what is known afterwards, and say when to come again', () => {
    const clock = new FakeClock();
    const rates = new TokenRates(clock);
    const limits = { readsPerSecond: 10, bytesPerSecond: 1000 };
    const takes = (count: number) => {
      for (let taken = 0; taken < count; taken++) rates.take('a', limits, 'reads', 1);
    };
    takes(10);
    const refused = expect.objectContaining({
      code: 'RESOURCE_EXHAUSTED',
      details: expect.objectContaining({ reason: 'token-rate', limit: 10, retryAfterMs: expect.any(Number) }),
    });
    expect(() => takes(1)).toThrow(refused);
    for (let taken = 0; taken < 10; taken++) rates.take('b', limits, 'reads', 1); // Another token has its own.
    clock.advance(200);
    takes(2);
    expect(() => takes(1)).toThrow(refused);
    rates.owe('a', limits, 'bytes', 5000);
    clock.advance(3900);
    expect(rates.has('a', limits, 'bytes')).toBe(false);
    clock.advance(200);
    expect(rates.has('a', limits, 'bytes')).toBe(true);
    for (let taken = 0; taken < 10_000; taken++) rates.take('c', {}, 'reads', 1);
  });

  it('hold for gets, hits in memory, lists, batches and streams alike', async () => {
    const exhausted = { code: 'RESOURCE_EXHAUSTED', details: { reason: 'token-rate' } };
    await put(guarded.origin, Buffer.alloc(10));
    const limits = { readsPerSecond: 2, writesPerSecond: 3, streamsMax: 1 };
    const upstream = standingStill(await guarded.issue({ rights: ['read', 'list', 'write', 'watch'], limits }));
    const hit = { namespace: 'config', key: 'k/0', session };
    await get(upstream, 'k/0');
    expect(upstream.peek(hit)).toBeDefined();
    expect(upstream.peek(hit)).toBeUndefined();
    await nextTurn();
    await expect(get(upstream, 'k/0')).rejects.toMatchObject(exhausted);
    const list = upstream.list({ namespace: 'config', prefix: '', limit: 10, session }, aCall());
    await expect(list).rejects.toMatchObject(exhausted);
    await put(upstream, Buffer.alloc(1), Buffer.alloc(1), Buffer.alloc(1), Buffer.alloc(1));
    await expect(put(upstream, Buffer.alloc(1))).rejects.toMatchObject(exhausted);
    const release = [1, 2].map(() => new AbortController());
    const opened = release.map((ending) => watchOnce(upstream, ending));
    expect(await opened[0]).toBe('opened');
    await expect(opened[1]).rejects.toMatchObject({ details: { reason: 'token-streams', limit: 1 } });
    release[0]?.abort(new Error('enough'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(await watchOnce(upstream, new AbortController())).toBe('opened');
  });

  it('let a batch that is larger than them through, which owes the rest', async () => {
    const keys = Array.from({ length: 20 }, (_, at) => `k/${at}`);
    await put(guarded.origin, ...keys.map(() => Buffer.alloc(1000)));
    const readers = new Map<string, (upstream: Upstream) => Promise<unknown>>([
      ['gets of one call', (upstream) => getAll(upstream, keys, () => false)],
      ['half of them from memory', (upstream) => getAll(upstream, keys, (at) => at < 10)],
    ]);
    for (const [name, read] of readers) {
      for (const limits of [{ readsPerSecond: 5 }, { bytesPerSecond: 5000 }]) {
        const upstream = standingStill(await guarded.issue({ rights: ['read'], limits }));
        expect(await read(upstream), name).toBe(20);
        await nextTurn();
        await expect(get(upstream, 'k/0'), name).rejects.toMatchObject({ details: { reason: 'token-rate' } });
      }
    }
  });

  it('make large values wait for their bytes', async () => {
    const upstream = standingStill(
      await guarded.issue({ rights: ['read', 'write'], limits: { bytesPerSecond: 1000 } }),
    );
    await put(upstream, Buffer.alloc(100_000));
    await expect(get(upstream, 'k/0')).rejects.toMatchObject({ details: { reason: 'token-rate', limit: 1000 } });
  });
});

/** As a surface reads a batch: from memory where it is there, in one turn, and else with the one call. How many it read. */
async function getAll(upstream: Upstream, keys: readonly string[], mayPeek: (at: number) => boolean): Promise<number> {
  const call = aCall();
  let read = 0;
  for (const [at, key] of keys.entries()) {
    const request = { namespace: 'config', key, session };
    const answer = (mayPeek(at) ? upstream.peek(request) : undefined) ?? (await upstream.get(request, call));
    if (answer.record !== undefined) read++;
  }
  return read;
}

/** Opens a watch and leaves it open until it is ended. */
async function watchOnce(upstream: Upstream, ending: AbortController): Promise<string> {
  const { id } = await guarded.origin.find('config');
  const events = upstream.follow(
    {
      ...{ protocol: 2, nonce: 'n', role: 'watch', values: { kind: 'all' }, start: { kind: 'now' } },
      node: { name: 'test', role: 'edge', id: '00000000000000ff', region: '' },
      filter: { includes: [{ namespace: id, prefix: '' }], excludes: [] },
    },
    [] as never,
    ending.signal,
  );
  const iterator = events[Symbol.asyncIterator]();
  const first = await iterator.next();
  // Whoever gives a watch up ends its iteration.
  ending.signal.addEventListener('abort', () => void iterator.return?.());
  return first.done ? 'ended' : first.value.kind;
}

describe('the audit log', () => {
  const told: AuditEntry[] = [];
  const gateWith = (more: { writes: boolean; asksForTokens?: boolean }) => {
    const { origin } = guarded;
    const { writes, ...rest } = more;
    const audit = { writes, record: (entry: AuditEntry) => void told.push(entry) };
    const adminHash = () => hashOfToken(adminToken);
    return new Gate({ upstream: origin, source: origin, clock: systemClock, adminHash, audit, ...rest });
  };

  it('tells who administered what, and what was refused, and no secret', async () => {
    told.length = 0;
    const gate = gateWith({ writes: false });
    const admin = gate.enter({ authorization: `Bearer ${adminToken}`, address: '192.0.2.9' });
    await admin.create('audited', aCall());
    await admin.rename('audited', 'audited-2', aCall());
    const { text, info } = await admin.createToken(
      { name: 'shopper', namespace: '*', prefix: '', rights: ['write'] },
      aCall(),
    );
    const shopper = gate.enter({ authorization: `Bearer ${text}`, address: '192.0.2.10' });
    await expect(shopper.remove('audited-2', aCall())).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    await put(shopper, Buffer.from('a value that nobody may log'));
    await admin.remove('audited-2', aCall());
    await admin.revokeToken('shopper', aCall());
    const drain = (token: string, address: string) => {
      return gate.administer({ authorization: `Bearer ${token}`, address }, 'node.drain', async () => 'drained');
    };
    const created = await admin.createToken({ name: 'clerk', namespace: '*', prefix: 'a', rights: ['admin'] }, aCall());
    await expect(drain(created.text, '192.0.2.12')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(await drain(adminToken, '192.0.2.9')).toBe('drained');
    const by = { who: 'admin', tokenId: 'admin', address: '192.0.2.9' };
    expect(told).toEqual([
      { ...by, action: 'namespace.create', about: ['audited'], outcome: 'ok' },
      { ...by, action: 'namespace.rename', about: ['audited', 'audited-2'], outcome: 'ok' },
      { ...by, action: 'token.create', about: ['shopper'], outcome: 'ok' },
      {
        ...{ who: 'shopper', tokenId: info.id, address: '192.0.2.10' },
        ...{ action: 'namespace.delete', about: ['audited-2'], outcome: 'PERMISSION_DENIED' },
      },
      { ...by, action: 'namespace.delete', about: ['audited-2'], outcome: 'ok' },
      { ...by, action: 'token.revoke', about: ['shopper'], outcome: 'ok' },
      { ...by, action: 'token.create', about: ['clerk'], outcome: 'ok' },
      {
        ...{ who: 'clerk', tokenId: created.info.id, address: '192.0.2.12' },
        ...{ action: 'node.drain', about: [], outcome: 'PERMISSION_DENIED' },
      },
      { ...by, action: 'node.drain', about: [], outcome: 'ok' },
    ]);
    for (const secret of [text, adminToken, hashOfToken(text)]) expect(JSON.stringify(told)).not.toContain(secret);
  });

  it('tells of writes where that is asked for, with some of their keys, also where no tokens are', async () => {
    told.length = 0;
    const upstream = gateWith({ writes: true, asksForTokens: false }).enter({ address: '192.0.2.11' });
    await put(upstream, ...Array.from({ length: 12 }, () => Buffer.from('hidden')));
    expect(told).toEqual([
      {
        ...{ who: 'anonymous', tokenId: 'anonymous', address: '192.0.2.11', action: 'write', about: ['config'] },
        ...{ keys: Array.from({ length: 10 }, (_, index) => `k/${index}`), keyCount: 12, outcome: 'ok' },
      },
    ]);
    expect(JSON.stringify(told)).not.toContain('hidden');
  });

  it('has no more of a name than a name may have, so that long ones that are refused leave room for others', async () => {
    told.length = 0;
    const gate = gateWith({ writes: true });
    const admin = gate.enter({ authorization: `Bearer ${adminToken}`, address: '192.0.2.9' });
    const long = 'a'.repeat(4 * 1024 * 1024);
    await admin.create(long, aCall()).catch(() => {});
    const mutations = [{ kind: 'delete' as const, key: long }];
    await admin.write({ namespace: long, session: emptySession, mutations }, aCall()).catch(() => {});
    expect(told.map(({ action }) => action)).toEqual(['namespace.create', 'write']);
    expect(JSON.stringify(told).length).toBeLessThan(4096);
  });

  it('is a file of JSON lines that may be moved away at any time', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'meridian-audit-'));
    const path = join(folder, 'audit');
    const audit = new AuditFile({ path, writes: false, node: 'iad', clock: systemClock, logger: silentLogger });
    const entry = {
      who: 'ci',
      tokenId: 'x',
      address: '::1',
      action: 'namespace.create',
      about: ['a\n"b"'],
      outcome: 'ok',
    };
    for (let line = 0; line < 100; line++) audit.record(entry);
    await audit.close();
    renameSync(path, `${path}.1`);
    audit.record({ ...entry, outcome: 'NOT_FOUND' });
    await audit.close();
    const linesOf = (file: string) =>
      readFileSync(file, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as object);
    expect(linesOf(`${path}.1`)).toHaveLength(100);
    expect(linesOf(`${path}.1`)[99]).toEqual({ time: expect.stringMatching(/^\d{4}-.*Z$/), node: 'iad', ...entry });
    expect(linesOf(path)).toEqual([{ time: expect.any(String), node: 'iad', ...entry, outcome: 'NOT_FOUND' }]);
    rmSync(folder, { recursive: true });
  });

  it('begins a line behind one that was cut off, and tells once that lines are lost, and how many', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'meridian-audit-'));
    const path = join(folder, 'new', 'audit');
    const told: unknown[] = [];
    const logger = loggerTo((level, message, fields) => told.push([level, message, fields?.['lost']]));
    const audit = new AuditFile({ path, writes: false, node: 'iad', clock: systemClock, logger });
    const entry = { who: 'ci', tokenId: 'x', address: '::1', action: 'token.create', about: [], outcome: 'ok' };
    for (let group = 0; group < 3; group++) {
      for (let line = 0; line < 2; line++) audit.record({ ...entry, about: [`${group}`] });
      // The file system answers in about the order in which it is asked: what was recorded has failed by then.
      for (let asked = 0; asked < 20; asked++) await access(path).catch(() => {});
    }
    expect(told).toEqual([['error', 'the audit log cannot be written; lines are lost', undefined]]);
    mkdirSync(join(folder, 'new'));
    writeFileSync(path, '{"time":"1');
    for (const about of ['3', '4']) {
      audit.record({ ...entry, about: [about] });
      await expect.poll(() => readFileSync(path, 'utf8')).toContain(`"about":["${about}"]`);
    }
    await audit.close();
    expect(told.slice(1)).toEqual([['error', 'lines of the audit log were lost', 6]]);
    const [cut, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect([cut, ...lines.map((line) => (JSON.parse(line) as typeof entry).about)]).toEqual([
      '{"time":"1',
      ['3'],
      ['4'],
    ]);
    rmSync(folder, { recursive: true });
  });

  it('is standard output where its path says so, line after line', async () => {
    const lines: string[] = [];
    const write = vi.spyOn(process.stdout, 'write').mockImplementation((line, then) => {
      lines.push(String(line));
      if (typeof then === 'function') setImmediate(then);
      return true;
    });
    try {
      const audit = new AuditFile({ path: '-', writes: false, node: 'iad', clock: systemClock, logger: silentLogger });
      const entry = { who: 'ci', tokenId: 'x', address: '::1', action: 'member.remove', about: [], outcome: 'ok' };
      for (let line = 0; line < 3; line++) {
        audit.record(entry);
        await expect.poll(() => lines).toHaveLength(line + 1);
      }
      await audit.close();
    } finally {
      write.mockRestore();
    }
  });
});
