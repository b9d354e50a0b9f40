import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Call } from '../../src/model/call.ts';
import type { Changes, Feed, FeedEvent, FollowerMessage, FollowOpen } from '../../src/model/feed.ts';
import { everything } from '../../src/model/filter.ts';
import type { KeyValue, Mutation } from '../../src/model/key-value.ts';
import { emptySession } from '../../src/model/session.ts';
import { emptyVector } from '../../src/model/version-vector.ts';
import { BoundedQueue } from '../../src/runtime/bounded-queue.ts';

export interface FeedHarness {
  readonly feed: Feed;
  /** Writes to what the feed tells of. */
  readonly keyValue: KeyValue;
  /** The title and the id of an empty namespace of `keyValue`. */
  readonly namespace: { readonly title: string; readonly id: string };
  /** Set where the feed is a relay's: its bound is then not zero. */
  readonly relayed?: true;
  /** A call whose deadline is far enough for a slow machine. */
  call(): Call;
  close(): Promise<void>;
}

const open: FollowOpen = {
  protocol: 2,
  node: { name: 'follower', role: 'edge', id: 'f'.repeat(16), region: 'here' },
  nonce: 'nonce-of-test',
  role: 'copy',
  filter: everything,
  values: { kind: 'all' },
  start: { kind: 'nothing' },
};

/** What every `Feed` does. Run it from a test file: `feedContract('an origin', async () => harness)`. */
export function feedContract(name: string, makeHarness: () => Promise<FeedHarness>): void {
  describe(`a feed (${name})`, () => {
    let harness: FeedHarness;
    const closing: Array<() => void> = [];

    beforeEach(async () => {
      harness = await makeHarness();
    });

    afterEach(async () => {
      for (const close of closing.splice(0)) close();
      await harness.close();
    });

    const follow = (more: Partial<FollowOpen> = {}): Following => {
      const following = new Following(harness.feed, { ...open, ...more });
      closing.push(() => following.giveUp());
      return following;
    };
    const write = (...mutations: readonly Mutation[]) =>
      harness.keyValue.write({ namespace: harness.namespace.title, session: emptySession, mutations }, harness.call());
    const put = (key: string) => write({ kind: 'put', key, value: Buffer.from(key) });
    const isHere = ({ namespace }: { readonly namespace: string }) => namespace === harness.namespace.id;

    it('opens, sends from nothing every live record, and says what it covers', async () => {
      await put('a');
      const { covered } = await put('b');
      const events = await follow().until('caught-up');
      expect(events[0]?.kind).toBe('opened');
      const keys = recordsOf(events)
        .filter(isHere)
        .map(({ key }) => key);
      expect(keys.sort()).toEqual(['a', 'b']);
      expect(events.at(-1)).toMatchObject({ vector: covered });
    });

    it('tells each later write once, with the step that it closes', async () => {
      const follower = follow();
      await follower.until('caught-up');
      for (const key of ['x', 'y']) {
        const { written, covered } = await put(key);
        const step = (await follower.until('step')).at(-1);
        expect(step).toMatchObject({ step: { vector: covered }, records: [{ key, stamp: written[0]?.stamp }] });
      }
    });

    it('sends a batch in one step', async () => {
      const follower = follow();
      await follower.until('caught-up');
      const value = Buffer.from('v');
      await write({ kind: 'put', key: 'one', value }, { kind: 'put', key: 'two', value });
      const steps = await follower.until('step');
      expect(recordsOf(steps).map(({ key }) => key)).toEqual(['one', 'two']);
    });

    it('resumes from a cursor with what changed since, deletions among it, and nothing else', async () => {
      await put('kept');
      await put('deleted');
      const first = follow();
      const caughtUp = (await first.until('caught-up')).at(-1);
      if (caughtUp?.kind !== 'caught-up') throw new Error('not caught up');
      first.giveUp();
      await write({ kind: 'delete', key: 'deleted' });
      await put('new');
      const cursor = caughtUp.vector;
      const events = await follow({ start: { kind: 'cursor', cursor } }).until('caught-up');
      expect(events.some(({ kind }) => kind === 'resync')).toBe(false);
      expect(recordsOf(events).map(({ kind, key }) => `${kind} ${key}`)).toEqual(['tombstone deleted', 'live new']);
    });

    it('sends a watch that starts now nothing of what was before', async () => {
      await put('before');
      const scope = { namespace: '*' as const, prefix: '' };
      const watch = follow({ role: 'watch', start: { kind: 'now' }, filter: { includes: [scope], excludes: [] } });
      expect(recordsOf(await watch.until('caught-up'))).toEqual([]);
      await put('after');
      expect(recordsOf(await watch.until('step'))).toMatchObject([{ key: 'after' }]);
    });

    it.each([
      ['larger than the follower takes inline', { kind: 'inline', bytesMax: 4 } as const, 'announcement'],
      ['no larger than the follower takes inline', { kind: 'inline', bytesMax: 5 } as const, 'live'],
      ['for a follower that takes no values', { kind: 'none' } as const, 'announcement'],
    ])('sends a value %s as it asked', async (_, values, kind) => {
      const follower = follow({ values });
      await follower.until('caught-up');
      await put('12345');
      expect(recordsOf(await follower.until('step'))).toMatchObject([{ kind, key: '12345' }]);
    });

    it('echoes a probe behind all that was committed before it', async () => {
      const follower = follow();
      await follower.until('caught-up');
      await put('first');
      follower.probe(7);
      const events = await follower.until('echo');
      expect(recordsOf(events)).toMatchObject([{ key: 'first' }]);
      const boundMs = harness.relayed === true ? expect.any(Number) : 0;
      expect(events.at(-1)).toMatchObject({ id: 7, bound: { boundMs } });
    });

    it('refuses a follower of another cluster', async () => {
      const refused = follow({ clusterId: 'another' }).until('caught-up');
      await expect(refused).rejects.toMatchObject({ name: 'MeridianError', code: 'FAILED_PRECONDITION' });
    });
  });
}

/** One stream, read step by step. */
class Following {
  readonly #ending = new AbortController();
  readonly #probes = new BoundedQueue<FollowerMessage>(16);
  readonly #events: AsyncIterator<FeedEvent>;

  constructor(feed: Feed, start: FollowOpen) {
    this.#events = feed.follow(start, this.#probes, this.#ending.signal)[Symbol.asyncIterator]();
  }

  /** All events up to and with the next that is `last`; `step` is one of changes that closes a live step. */
  async until(last: FeedEvent['kind'] | 'step'): Promise<readonly FeedEvent[]> {
    for (const seen: FeedEvent[] = []; ; ) {
      const { done, value } = await this.#events.next();
      if (done === true) throw new Error('the stream ended');
      seen.push(value);
      if (last === 'step' ? isStep(value) : value.kind === last) return seen;
    }
  }

  probe(id: number): void {
    this.#probes.push({ kind: 'probe', id, durable: emptyVector, wallMs: 1 });
  }

  giveUp(): void {
    this.#ending.abort(new Error('the follower gives up'));
    this.#probes.end();
  }
}

function isStep(event: FeedEvent): event is Changes {
  return event.kind === 'changes' && event.step !== undefined && event.records.length > 0;
}

function recordsOf(events: readonly FeedEvent[]) {
  return events.flatMap((event) => (event.kind === 'changes' ? event.records : []));
}
