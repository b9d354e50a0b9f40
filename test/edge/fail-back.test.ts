import { describe, expect, it } from 'vitest';
import { FailBack } from '../../src/edge/fail-back.ts';
import { FeedRoute } from '../../src/edge/feed-route.ts';
import { Upstreams } from '../../src/edge/upstreams.ts';
import type { NodeStatus } from '../../src/model/cluster.ts';
import { MeridianError } from '../../src/model/errors.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { FakeClock } from './fake-clock.ts';

const never = new AbortController().signal;

/** Two upstreams, of which the test says whether they are ready; one scope that follows, as its loop would. */
function opened() {
  const clock = new FakeClock();
  const ready = { first: true, second: true };
  const upstreamOf = (name: 'first' | 'second') => {
    const status = async () => ({ ready: ready[name] }) as NodeStatus;
    return { name, upstream: { status } as unknown as Upstream };
  };
  const upstreams = new Upstreams([upstreamOf('first'), upstreamOf('second')], clock, {
    firstMs: 100,
    mostMs: 100,
    silenceMsMin: 10,
  });
  const route = new FeedRoute(upstreams, clock, () => {});
  let followed = route.next();
  const times = { lookMs: 1000, steadyMs: 5000, steadyMsMax: 60_000 };
  const failBack = new FailBack({ ...times, upstreams, clock, routes: () => [route] });
  return {
    ready,
    name: () => followed.name,
    /** The stream ends with this; the loop follows whom it is told to. */
    ends: (reason = 'feed-ended') => {
      followed.failed(new MeridianError('UNAVAILABLE', 'the stream ended', { reason }), false);
      followed = route.next();
    },
    /** Looks once a second, so many times, and goes where the scope is sent. Returns at which look it moved. */
    look: async (times: number): Promise<number | undefined> => {
      for (let i = 1; i <= times; i++) {
        clock.advance(1000);
        await failBack.look(never);
        if (followed.leave?.aborted !== true) continue;
        followed = route.next();
        return i;
      }
      return undefined;
    },
  };
}

describe('a scope that fell over to its second upstream', () => {
  it('goes back to the first once that was ready at every look for a while', async () => {
    const { ends, name, look } = opened();
    ends();
    expect(name()).toBe('second');
    expect(await look(5)).toBeUndefined();
    expect(await look(1)).toBe(1);
    expect(name()).toBe('first');
  });

  it('counts from the start again where the first was not ready in between', async () => {
    const { ends, look, ready } = opened();
    ends();
    await look(4);
    ready.first = false;
    await look(1);
    ready.first = true;
    expect(await look(10)).toBe(6);
  });

  it('waits for twice as long each time that the first was lost again soon after', async () => {
    const { ends, look } = opened();
    const waited: Array<number | undefined> = [];
    for (let i = 0; i < 5; i++) {
      ends();
      waited.push(await look(100));
    }
    expect(waited).toEqual([6, 11, 21, 41, 61]);
  });

  it('stays where it is while it follows the first', async () => {
    const { name, look } = opened();
    expect(await look(20)).toBeUndefined();
    expect(name()).toBe('first');
  });

  it.each([
    ['a relay that does not hold it', 'scope-not-served'],
    ['a node that is up and hangs in its scan', 'scan-silent'],
  ])('is not sent back for as long to %s, which goes on answering loads', async (_, reason) => {
    const { ends, name, look } = opened();
    ends(reason);
    expect(name()).toBe('second');
    expect(await look(500)).toBeUndefined();
  });
});
