import { afterEach, describe, expect, it } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import type { Namespace } from '../../src/client/namespace.ts';
import { MeridianError } from '../../src/model/errors.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { answerOf, cuttable, overLoopback, recordOf, upstreamWith } from '../rpc/loopback.ts';

/*
 * The get of one value without options, which takes a path of its own: over real connections, to nodes that answer as a test
 * says. What the plain path promises holds here too; namespace.test.ts and its like ask a node in memory through both.
 */

const closing: Array<() => unknown> = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function nodeOf(get: Upstream['get']): Promise<string> {
  const { address, close } = await overLoopback(upstreamWith({ get }));
  closing.push(close);
  return address;
}

function valuesAt(...endpoints: readonly string[]): Namespace {
  const client = connect({ endpoints, timeoutMs: 60_000 });
  closing.push(() => client.close());
  return client.namespace('n');
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a get of a value', () => {
  it('tells absence, deletions, values and failures as any get does', async () => {
    const past = { ...answerOf('gone'), record: undefined };
    const failed = new MeridianError('RESOURCE_EXHAUSTED', 'too much', { reason: 'busy', retryAfterMs: 1 });
    let tries = 0;
    const address = await nodeOf(async ({ key }) => {
      if (key === 'absent') return past;
      if (key === 'deleted') return { ...past, record: { ...recordOf(key, Buffer.alloc(0)), kind: 'tombstone' } };
      if (key === 'busy' && ++tries < 3) throw failed;
      if (key === 'unknown') throw new MeridianError('NOT_FOUND', 'no such namespace', { reason: 'no-namespace' });
      return answerOf(key, Buffer.from(key === 'empty' ? '' : `{"of":"${key}"}`));
    });
    const values = valuesAt(address);
    expect(await Promise.all(['absent', 'deleted', 'empty'].map((key) => values.get(key)))).toEqual([null, null, '']);
    expect(await values.get('k', 'json')).toEqual({ of: 'k' });
    expect(await values.get('busy')).toBe('{"of":"busy"}');
    expect(tries).toBe(3);
    await expect(values.get('unknown')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      details: { reason: 'no-namespace' },
    });
    await expect(values.get('empty', 'json')).rejects.toThrow(SyntaxError);
    const bytes = await values.get('k', 'arrayBuffer');
    expect(bytes?.byteLength).toBe('{"of":"k"}'.length);
  });

  it('may wait with thousands while others are late, and all are answered', async () => {
    const late: Array<() => void> = [];
    const address = await nodeOf(({ key }) => {
      if (!key.startsWith('late')) return Promise.resolve(answerOf(key));
      return new Promise((resolve) => late.push(() => resolve(answerOf(key))));
    });
    const values = valuesAt(address);
    // A namespace that has shown small values alone: where nothing is known of their size, few are read at once.
    for (let i = 0; i < 60; i++) await values.get('first');
    const slow = Array.from({ length: 100 }, (_, i) => values.get(`late ${i}`));
    const keys = Array.from({ length: 9000 }, (_, i) => `k${i}`);
    expect(await Promise.all(keys.map((key) => values.get(key)))).toEqual(keys);
    for (const answer of late.reverse()) answer();
    expect(await Promise.all(slow)).toEqual(slow.map((_, i) => `late ${i}`));
  });

  it('is asked once more where the stream breaks that it was asked over', async () => {
    let gets = 0;
    const address = await nodeOf(({ key }) => (++gets === 1 ? new Promise(() => {}) : Promise.resolve(answerOf(key))));
    const proxy = await cuttable(address);
    closing.push(proxy.close);
    const reading = valuesAt(proxy.address).get('k');
    while (gets < 1) await turn();
    proxy.cut();
    expect(await reading).toBe('k');
    expect(gets).toBe(2);
  });

  it('goes on at another node where the one in use is gone, which later ones do not ask any more', async () => {
    const gone = await cuttable(await nodeOf(async ({ key }) => answerOf(key)));
    gone.close();
    let gets = 0;
    const there = await nodeOf(async ({ key }) => answerOf(`${key} ${++gets}`));
    const values = valuesAt(gone.address, there);
    expect(await Promise.all([values.get('k'), values.get('k')])).toEqual(['k 1', 'k 2']);
    expect(await values.get('k')).toBe('k 3');
  });

  it('is read in pieces where it is too large for a message', async () => {
    const value = 'x'.repeat(5 * 1024 * 1024);
    const values = valuesAt(await nodeOf(async ({ key }) => answerOf(key, Buffer.from(value))));
    expect((await values.get('large')) === value).toBe(true);
  });

  it('is the last one that was seen, or a later one, whichever path was taken before', async () => {
    const sessions: number[] = [];
    let sequence = 0;
    const address = await nodeOf(async ({ key, session }) => {
      sessions.push(session.vector.get('1'.repeat(16) as never) ?? 0);
      return { ...answerOf(key), session: { ...session, vector: new Map([['1'.repeat(16) as never, ++sequence]]) } };
    });
    const values = valuesAt(address);
    await values.get('k');
    await values.getWithMetadata('k');
    await values.get('k');
    await values.getWithMetadata('k');
    expect(sessions).toEqual([0, 1, 2, 3]);
  });

  it('is refused once the client is closed, and given up where that happens meanwhile', async () => {
    let gets = 0;
    const address = await nodeOf(() => {
      gets++;
      return new Promise(() => {});
    });
    const client = connect({ endpoints: [address] });
    const values = client.namespace('n');
    const reading = values.get('k');
    reading.catch(() => {});
    while (gets < 1) await turn();
    client.close();
    await expect(reading).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(values.get('k')).rejects.toThrow('the client is closed');
    expect(gets).toBe(1);
  });
});
