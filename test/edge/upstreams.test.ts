import { describe, expect, it } from 'vitest';
import { Upstreams } from '../../src/edge/upstreams.ts';
import { MeridianError } from '../../src/model/errors.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { FakeClock } from './fake-clock.ts';

const names = ['a', 'b', 'c'];
/** Told apart by identity alone. */
const upstreams = new Map(names.map((name) => [name, {} as Upstream]));

function opened(clock: FakeClock): Upstreams {
  const named = [...upstreams].map(([name, upstream]) => ({ name, upstream }));
  return new Upstreams(named, clock, { firstMs: 100, mostMs: 1000, silenceMsMin: 10 });
}

function nameOf(upstream: Upstream): string {
  return names.find((name) => upstreams.get(name) === upstream) ?? 'none';
}

const aCall = { deadlineMs: Number.POSITIVE_INFINITY, signal: new AbortController().signal };

const unavailable = (reason: string) => new MeridianError('UNAVAILABLE', 'down', { reason });

/** Answers with the upstream's name, unless that is among those that are down; notes whom it asked. */
function asking(down: readonly string[], asked: string[], reason = 'down') {
  return async (upstream: Upstream) => {
    const name = nameOf(upstream);
    asked.push(name);
    if (down.includes(name)) throw unavailable(reason);
    return name;
  };
}

describe('the upstreams of an edge', () => {
  it('are asked in their order, the next one where one is down', async () => {
    const asked: string[] = [];
    expect(await opened(new FakeClock()).ask(aCall, asking(['a', 'b'], asked))).toBe('c');
    expect(asked).toEqual(['a', 'b', 'c']);
  });

  it('are preferred as reads go to them: the current one, then others, those that rest last, and none of another cluster', async () => {
    const list = opened(new FakeClock());
    const inOrder = () => list.preferred().map(({ name }) => name);
    expect(inOrder()).toEqual(['a', 'b', 'c']);
    await list.ask(aCall, asking(['a'], []));
    expect(inOrder()).toEqual(['b', 'c', 'a']);
    const [b] = list.preferred();
    if (b !== undefined) list.foreign(b, 'it says so');
    expect(inOrder()).toEqual(['c', 'a']);
  });

  // An edge that had never reached any was ready until the first of them had failed, and between its tries.
  it('answer once one has, until it fails', async () => {
    const clock = new FakeClock();
    const list = opened(clock);
    expect(list.answers, 'nobody was asked').toBe(false);
    await list.ask(aCall, asking(names, [])).catch(() => {});
    clock.advance(10_000);
    expect([list.reachable, list.answers], 'to be tried again').toEqual([true, false]);
    await list.ask(aCall, asking([], []));
    expect(list.answers).toBe(true);
    await list.ask(aCall, asking(names, [])).catch(() => {});
    expect(list.answers).toBe(false);
  });

  it('are asked each once at the most', async () => {
    const asked: string[] = [];
    await expect(opened(new FakeClock()).ask(aCall, asking(names, asked))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect(asked).toEqual(names);
  });

  it('get a write once: it may have happened where it failed', async () => {
    const asked: string[] = [];
    await expect(opened(new FakeClock()).call(aCall, asking(['a'], asked))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect(asked).toEqual(['a']);
  });

  it('get a write that was never sent at the next one', async () => {
    const asked: string[] = [];
    expect(await opened(new FakeClock()).call(aCall, asking(['a', 'b'], asked, 'not-connected'))).toBe('c');
    expect(asked).toEqual(['a', 'b', 'c']);
    await expect(opened(new FakeClock()).call(aCall, asking(names, [], 'not-connected'))).rejects.toMatchObject({
      details: { reason: 'not-connected' },
    });
  });

  it('are passed over for longer with each failure in a row, and come back in their order', async () => {
    const clock = new FakeClock();
    const list = opened(clock);
    await list.ask(aCall, asking(['a'], []));
    expect(list.current().name).toBe('b');
    clock.advance(100);
    expect(list.current().name).toBe('a');
    await list.ask(aCall, asking(['a'], []));
    clock.advance(100);
    expect(list.current().name).toBe('b');
    clock.advance(100);
    expect(await list.ask(aCall, asking([], []))).toBe('a');
  });

  it('are not held to be down for what they refuse', async () => {
    const list = opened(new FakeClock());
    await expect(list.ask(aCall, asking(['a'], [], 'session-not-covered'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect(list.current().name).toBe('a');
    expect(list.reachable).toBe(true);
  });

  it('get half of the time each while another is left, so that one that is silent does not use it up', async () => {
    const clock = new FakeClock();
    const list = opened(clock);
    const asked: string[] = [];
    const given: boolean[] = [];
    const call = { deadlineMs: clock.monotonicMs() + 1000, signal: new AbortController().signal };
    const answer = list.ask(call, async (upstream, { signal }) => {
      asked.push(nameOf(upstream));
      if (nameOf(upstream) === 'c') return 'c';
      signal.addEventListener('abort', () => given.push(true));
      return new Promise<string>(() => {});
    });
    await Promise.resolve();
    clock.advance(499);
    expect(asked).toEqual(['a']);
    clock.advance(1);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    expect(asked).toEqual(['a', 'b']);
    clock.advance(250);
    expect(await answer).toBe('c');
    expect(given).toEqual([true, true]);
  });

  it('rest for no silence that a caller in haste called one: others have the time that he had not', async () => {
    const clock = new FakeClock();
    const list = opened(clock);
    const silent = async (ms: number) => {
      const call = { deadlineMs: clock.monotonicMs() + ms, signal: new AbortController().signal };
      const answer = list.ask(call, async (upstream) => {
        return nameOf(upstream) === 'a' ? new Promise<string>(() => {}) : nameOf(upstream);
      });
      await Promise.resolve();
      clock.advance(ms / 2);
      return answer;
    };
    expect([await silent(18), list.current().name]).toEqual(['b', 'a']);
    expect([await silent(20), list.current().name]).toEqual(['b', 'b']);
  });

  it('are asked also while they rest, where every other one has failed', async () => {
    const clock = new FakeClock();
    const list = opened(clock);
    await list.ask(aCall, asking(['a', 'b'], []));
    const asked: string[] = [];
    await expect(list.ask(aCall, asking(names, asked))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect([...asked].sort()).toEqual(names);
  });

  it('are not asked, and not written to, while they are of another cluster', async () => {
    const clock = new FakeClock();
    const list = opened(clock);
    const [a, b, c] = list.list;
    if (a === undefined || b === undefined || c === undefined) throw new Error('there are three');
    const asked: string[] = [];
    list.foreign(a, 'it is of cluster x');
    expect(await list.ask(aCall, asking([], asked))).toBe('b');
    clock.advance(10_000);
    expect(await list.call(aCall, asking([], asked))).toBe('b');
    list.foreign(b, 'it is of cluster x');
    list.foreign(c, 'it is of cluster x');
    const refused = { code: 'UNAVAILABLE', details: { reason: 'other-cluster' } };
    await expect(list.ask(aCall, asking([], asked))).rejects.toMatchObject(refused);
    await expect(list.call(aCall, asking([], asked))).rejects.toMatchObject(refused);
    expect(asked).toEqual(['b', 'b']);
    list.joined(c);
    expect(await list.ask(aCall, asking([], asked))).toBe('c');
  });
});
