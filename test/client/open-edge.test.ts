import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KVNamespace } from '@cloudflare/workers-types';
import { afterAll, afterEach, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { connect, type EdgeHandle, type OpenEdgeOptions, openEdge } from '../../src/client/connect.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import type { RunningNode } from '../../src/node/running-node.ts';
import { startOrigin } from '../../src/node/start-origin.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-open-edge-'));
/** Nobody listens on the discard port. */
const nobody = '127.0.0.1:9';

describe('an edge inside the process', () => {
  let origin: RunningNode;
  const opened: EdgeHandle[] = [];

  beforeAll(async () => {
    const flags = { listen: '127.0.0.1:0', http: '127.0.0.1:0', data: join(folder, 'origin') };
    const outside = { clock: systemClock, random: systemRandom, logger: silentLogger };
    origin = await startOrigin(resolveConfig('origin', { flags, env: {}, file: {} }), outside);
    const far = connect({ endpoints: [origin.grpcAddress] });
    await far.namespaces.create('flags');
    far.close();
  });

  afterEach(async () => {
    for (const edge of opened.splice(0)) await edge.close();
  });

  afterAll(async () => {
    await origin?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(options: Partial<OpenEdgeOptions> = {}): Promise<EdgeHandle> {
    const edge = await openEdge({ upstream: origin.grpcAddress, ...options });
    opened.push(edge);
    return edge;
  }

  /** Asks as an application does: at once, else with `get`, until it is told at once what it expects. */
  async function untilSync(edge: EdgeHandle, key: string, expected: string | null): Promise<void> {
    const flags = edge.namespace('flags');
    while (flags.getSync(key) !== expected) {
      await flags.get(key);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  it('reads what it wrote, through its upstream and from its cache, at once from then on', async () => {
    const edge = await open();
    await edge.ready();
    const flags = edge.namespace('flags');
    await flags.put('beta', JSON.stringify({ on: true }), { metadata: { by: 'ops' } });
    expect(await flags.get('beta', 'json')).toEqual({ on: true });
    await untilSync(edge, 'beta', JSON.stringify({ on: true }));
    expect(flags.getSync('beta', 'json')).toEqual({ on: true });
    expect(flags.getWithMetadataSync('beta')).toMatchObject({ metadata: { by: 'ops' }, source: 'cache', past: false });
    expect(await flags.get('absent')).toBe(null);
    await untilSync(edge, 'absent', null);
    expect(flags.getSync('never asked for')).toBe(undefined);
    expect(flags.getSync('beta', 'text', { maxStaleness: 0 })).toBe(undefined);
  });

  it('follows what others write where it holds a copy, and has no network in its reads', async () => {
    const edge = await open({ replicate: ['flags'] });
    const far = connect({ endpoints: [origin.grpcAddress] });
    await edge.ready();
    const flags = edge.namespace('flags');
    await far.namespace('flags').put('seen', 'one');
    edge.session.import(far.session.export());
    expect(await flags.get('seen')).toBe('one');
    await untilSync(edge, 'seen', 'one');
    await far.namespace('flags').put('seen', 'two');
    await untilSync(edge, 'seen', 'two');
    await far.namespace('flags').delete('seen');
    await untilSync(edge, 'seen', null);
    const changes = flags.watch({ prefix: 'w/' })[Symbol.asyncIterator]();
    expect((await changes.next()).value).toMatchObject({ kind: 'caught-up' });
    await far.namespace('flags').put('w/a', '1');
    expect((await changes.next()).value).toMatchObject({ kind: 'put', key: 'w/a' });
    far.close();
  });

  it('keeps what it holds apart from what the application writes into', async () => {
    const edge = await open({ replicate: ['*'] });
    await edge.ready();
    const flags = edge.namespace('flags');
    const value = new Uint8Array([1, 2, 3]);
    await flags.put('bytes', value);
    value.fill(9);
    const read = new Uint8Array((await flags.get('bytes', 'arrayBuffer')) ?? new ArrayBuffer(0));
    expect([...read]).toEqual([1, 2, 3]);
    read.fill(9);
    for await (const entry of flags.entries({ prefix: 'bytes' })) entry.value.fill(9);
    await untilSync(edge, 'bytes', '\x01\x02\x03');
    expect([...new Uint8Array(flags.getSync('bytes', 'arrayBuffer') ?? new ArrayBuffer(0))]).toEqual([1, 2, 3]);
  });

  it('goes on without its upstream over what its folder kept, and never says "not found" of what it never loaded', async () => {
    const data = join(folder, 'kept');
    const edge = await open({ data, replicate: ['flags'] });
    await edge.ready();
    await edge.namespace('flags').put('kept', 'here');
    await untilSync(edge, 'kept', 'here');
    await edge.close();
    const alone = await open({ data, replicate: ['flags'], upstream: [nobody], staleIfErrorMs: 60_000 });
    await alone.ready();
    expect(await alone.namespace('flags').get('kept')).toBe('here');
    const empty = await open({ upstream: nobody });
    await expect(empty.ready({ timeoutMs: 100 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(empty.namespace('flags').getSync('kept')).toBe(undefined);
    await expect(empty.namespace('flags').get('kept')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });

  it('ends the wait for it as it ends any call, with its signal and when it is closed', async () => {
    const edge = await open({ upstream: nobody });
    const aborting = new AbortController();
    const aborted = edge.ready({ signal: aborting.signal });
    const closed = edge.ready().catch((error: unknown) => error);
    aborting.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'CANCELLED' });
    await edge.close();
    expect(await closed).toMatchObject({ code: 'CANCELLED' });
  });

  it('refuses what it cannot run with, and leaves nothing behind', async () => {
    const temporary = () => readdirSync(tmpdir()).filter((name) => name.startsWith('meridian-edge-'));
    const before = temporary();
    await expect(openEdge({ upstream: [] })).rejects.toMatchObject({ details: { reason: 'no-upstream' } });
    await expect(openEdge({ upstream: 'nowhere' })).rejects.toThrow('an upstream is host:port, not "nowhere"');
    await expect(openEdge({ upstream: nobody, maxStalenessMs: -1 })).rejects.toThrow('0 or more; it is -1');
    for (const replicate of [['flags/beta'], ['a/*/b'], [''], 'flags' as unknown as string[]]) {
      const refused = { code: 'INVALID_ARGUMENT', details: { reason: 'bad-pattern' } };
      await expect(openEdge({ upstream: nobody, replicate }), `${replicate}`).rejects.toMatchObject(refused);
    }
    await expect(openEdge({ upstream: nobody, cache: ['a*b'] })).rejects.toThrow(
      /^each of the list cache must be .*"a\*b"$/,
    );
    const origins = join(folder, 'origin');
    await expect(openEdge({ upstream: nobody, data: origins })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const data = join(folder, 'taken');
    await open({ data });
    await expect(openEdge({ upstream: nobody, data })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const edge = await open();
    await edge.close();
    await edge.close();
    await expect(edge.namespace('flags').get('beta')).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(edge.namespace('flags').getSync('beta')).toBe(undefined);
    expect(temporary()).toEqual(before);
    expect(existsSync(join(data, 'meridian-role'))).toBe(true);
  });

  it('has namespaces that can stand where a KVNamespace is expected', async () => {
    const edge = await open({ upstream: nobody });
    expectTypeOf(edge.namespace('flags')).toExtend<KVNamespace>();
  });
});
