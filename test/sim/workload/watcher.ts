import type { Change, FeedEvent, FollowOpen, FollowStart, Step } from '../../../src/model/feed.ts';
import { feedVersions } from '../../../src/model/feed-version.ts';
import type { NamespaceId } from '../../../src/model/namespace.ts';
import type { Stamp } from '../../../src/model/stamp.ts';
import type { Upstream } from '../../../src/model/upstream.ts';
import { emptyVector, type VersionVector } from '../../../src/model/version-vector.ts';

import { WatchCursors } from '../../../src/rpc/server/watch-cursor.ts';
import type { VirtualTime } from '../../support/virtual-time.ts';
import { describeEvent, type Oracles } from '../oracles/oracles.ts';
import { mayBeAbsent } from '../oracles/truth.ts';

export interface WatcherOptions {
  readonly time: VirtualTime;
  readonly oracles: Oracles;
  readonly namespace: NamespaceId;
  /** Asked at each stream: a watch may resume at any node. */
  readonly node: () => Upstream;
  readonly from: 'nothing' | 'now';
  readonly name: string;
  /** An origin may keep its data in a database. Default: none does. */
  readonly scansAhead?: boolean;
}

/**
 * A client's watch, as the RPC's handler and client make it: it resumes from the cursor of its last consistent step, and
 * judges what it is told: per key later and later from cursor to cursor, no gap at any step, and nothing missing after a reset.
 */
export class Watcher {
  readonly #options: WatcherOptions;
  readonly #stopping = new AbortController();
  readonly #latest = new Map<string, Stamp>();
  /** Of these, what was told up to the cursor. */
  #settled: ReadonlyMap<string, Stamp> = new Map();
  #cursors = new WatchCursors('nothing');
  #cursor: VersionVector | undefined;
  /** A reset makes even a watch from now begin with all records. */
  #from: WatcherOptions['from'];
  /** Up to here what was not shown may have been purged, or was before the watch. Undefined until it has caught up. */
  #base: VersionVector | undefined;
  /** What the last consistent step covered. */
  covered: VersionVector = emptyVector;
  /** The same, of this stream. */
  #stepped: VersionVector = emptyVector;
  resumes = 0;
  resets = 0;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#from = options.from;
  }

  stop(): void {
    this.#stopping.abort(new Error('the watch is over'));
  }

  async run(): Promise<void> {
    const { time } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        for await (const event of this.#options.node().follow(this.#open(), silence(), signal)) this.#take(event);
      } catch {
        // Whatever ended the stream, the watch goes on.
      }
      this.resumes++;
      await time.wait(20);
    }
  }

  #open(): FollowOpen {
    const { namespace, name } = this.#options;
    // What came behind the cursor comes again, maybe from who has not heard of all of it. Without one, all comes anew.
    this.#latest.clear();
    this.#stepped = emptyVector;
    if (this.#cursor !== undefined) for (const [key, stamp] of this.#settled) this.#latest.set(key, stamp);
    else this.#base = undefined;
    const start: FollowStart =
      this.#cursor === undefined ? { kind: this.#from } : { kind: 'cursor', cursor: this.#cursor };
    this.#cursors = new WatchCursors(start.kind);
    return {
      ...feedVersions,
      node: { name, role: 'edge', id: 'w'.repeat(16), region: 'r' },
      nonce: name,
      role: 'watch',
      filter: { includes: [{ namespace, prefix: '' }], excludes: [] },
      values: { kind: 'inline', bytesMax: 10 },
      start,
    };
  }

  #take(event: FeedEvent): void {
    this.#options.oracles.trace.note(() => `→ watch ${this.#options.name} ${describeEvent(event)}`);
    const behind = this.#cursors.after(event);
    switch (event.kind) {
      case 'resync':
        this.resets++;
        this.#cursor = undefined;
        this.#from = 'nothing';
        // What it was shown may have been lost with an origin.
        this.#latest.clear();
        this.#base = undefined;
        return;
      case 'caught-up':
        // With all that it implies by now: a seal may be made again elsewhere.
        this.#base ??= this.#options.oracles.history.logs.unfold(event.vector);
        this.#step(event, behind);
        return;
      case 'changes':
        for (const change of event.records) this.#changed(change);
        if (event.step !== undefined) this.#step(event.step, behind);
        return;
      default:
        return;
    }
  }

  #changed({ key, stamp }: Change): void {
    const before = this.#latest.get(key);
    const { oracles, namespace, scansAhead = false } = this.#options;
    // A scan of a database may show what its state does not cover yet: the feed tells it again, in order, before a cursor.
    const isAhead = scansAhead && before !== undefined && !this.#isCovered(before);
    const isKept =
      before !== undefined && !isAhead && !oracles.isDead(namespace) && oracles.truthOf().surviving(before);
    if (isKept && stamp < before) this.#violated(`goes back on ${key} from ${before} to ${stamp}`);
    this.#latest.set(key, stamp);
  }

  #isCovered(stamp: Stamp): boolean {
    const { history } = this.#options.oracles;
    const positions = history.find(stamp)?.positions ?? [];
    return positions.some((position) => history.logs.coversPosition(this.#stepped, position));
  }

  /** Everything that the step covers was told, or need not be. */
  #step(step: Step, behind: VersionVector | undefined): void {
    const { oracles, namespace, time } = this.#options;
    if (behind !== undefined) {
      this.#cursor = behind;
      this.#settled = new Map(this.#latest);
    }
    this.covered = step.vector;
    this.#stepped = step.vector;
    if (oracles.isDead(namespace)) return;
    const truth = oracles.truthOf();
    const base = this.#base ?? emptyVector;
    for (const key of truth.keys(namespace)) {
      const required = truth.covered(namespace, key, step.vector);
      if (required === undefined || required.record.stamp <= (this.#latest.get(key) ?? '')) continue;
      // Where it was written or adopted; also in a life of a disk that was rolled back since.
      const known = truth
        .versions(namespace, key)
        .filter(({ record }) => oracles.history.logs.coversPosition(base, record.position));
      const latest = [truth.covered(namespace, key, base), ...known].map((version) => version?.record.stamp ?? '');
      const before = latest.some((stamp) => stamp >= required.record.stamp);
      if (
        before &&
        (this.#from === 'now' || truth.versions(namespace, key).some(({ record }) => mayBeAbsent(record, time.nowMs)))
      ) {
        continue;
      }
      // Whoever was shown all, and nothing of this key, knows as much as its end would tell.
      const isKnownAbsent = this.#from === 'nothing' && !this.#latest.has(key);
      if (isKnownAbsent && mayBeAbsent(required.record, time.nowMs)) continue;
      this.#violated(`was not told of ${key} at ${required.record.stamp}, which its step covers`);
    }
  }

  #violated(line: string): void {
    this.#options.oracles.trace.violated(`watch ${this.#options.name} ${line}`);
  }
}

/** A watch sends no probes. */
async function* silence(): AsyncGenerator<never> {
  await new Promise(() => {});
}
