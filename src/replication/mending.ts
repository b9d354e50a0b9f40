import type { Call } from '../model/call.ts';
import { isMeridianError, MeridianError } from '../model/errors.ts';
import { mapKey, type RecordKey } from '../model/key.ts';
import type { GetAnswer, GetRequest } from '../model/key-value.ts';
import { replaces } from '../model/merge.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { Record } from '../model/record.ts';
import { bottomStamp } from '../model/stamp.ts';
import { withPosition } from '../model/version-vector.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Damaged } from '../store/store.ts';
import { hasEnded, type SettledTime } from './clocks/settled-time.ts';
import type { CommitView, Decision, Ledger } from './ledger.ts';
import type { ReplicationObserver } from './observer.ts';

/*
 * Damaged records are read from other nodes, one key after another, by ordinary reads:
 *
 *     held here      k at (l, 9), damaged
 *     a node that covers {l: 12} answers k = 7 at (l, 9): that write is whole again
 *     ... answers k = 8 at (l, 11): what was damaged was overwritten there; the later one takes its place
 *     ... answers that it has expired: that counts once it is certain here as well, or others have said so for long (rule R9)
 *     ... answers nothing: it was a deletion that is purged there; the record goes here too, and the floor rises to it
 *     a node that covers {l: 8} has not seen it: its answer says nothing
 *
 * If the position went with the record, the answering node must cover all that this node covers.
 */

export interface MendingOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly observer: Pick<ReplicationObserver, 'commitFailed'>;
  /** The time to go by for what cannot be undone. */
  readonly settled: Pick<SettledTime, 'look'>;
  /** Milliseconds for which a clock that jumped ahead must hold before values are dropped by it. */
  readonly clockHoldMs: number;
  /** Answers of nodes that may hold the record, one after another while more are wanted. Failing nodes are left out. */
  readonly ask: (request: GetRequest, call: Call) => AsyncIterable<GetAnswer>;
}

/** Milliseconds between looks at damaged records; after a round in which one could not be mended, `restMs`. */
const lookMs = 1000;
const restMs = 10_000;
/** Milliseconds for one key. */
const askMs = 3000;
/** Answers that a value has expired before they outweigh the clock here, and milliseconds between two, at most. */
const expiredTimesMin = 3;
const expiredApartMsMax = 60_000;
/** Keys that no node could answer, after which a round ends. The next round begins with other keys. */
const failuresMax = 8;

/** Since when, and how often, other nodes said again and again that a value has expired. */
interface ToldExpired {
  readonly sinceMs: number;
  readonly lastMs: number;
  readonly times: number;
}

/** Brings back damaged records of one store from nodes that have them, for as long as the signal lets it. */
export class Mending {
  readonly #options: MendingOptions;
  /** Damaged records that have expired by other nodes' word, and not by this node's time. */
  readonly #expired = new Map<string, ToldExpired>();
  #hand = 0;

  constructor(options: MendingOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, ledger } = this.#options;
    let restUntilMs = 0;
    for (;;) {
      await sleep(clock, lookMs, signal);
      if (ledger.awaited.size === 0 && clock.monotonicMs() < restUntilMs) continue;
      if (!(await this.round(signal))) restUntilMs = clock.monotonicMs() + restMs;
    }
  }

  /** One round over all known damaged records; false if one of them is still damaged. */
  async round(signal: AbortSignal): Promise<boolean> {
    const { ledger, observer } = this.#options;
    const known = [...ledger.store.damaged(), ...ledger.awaited.values()];
    const all = [...new Map(known.map((damaged) => [mapKey(damaged.namespace, damaged.key), damaged])).values()];
    ledger.awaited.clear(); // A proposal that still waits asks again.
    const names = new Set(all.map((damaged) => mapKey(damaged.namespace, damaged.key)));
    for (const name of this.#expired.keys()) if (!names.has(name)) this.#expired.delete(name);
    let failures = 0;
    for (let index = 0; index < all.length && failures < failuresMax; index++) {
      const damaged = all[(this.#hand + index) % all.length];
      if (damaged === undefined || signal.aborted) break;
      const mended = await this.#mend(damaged, signal).catch((error: unknown) => {
        observer.commitFailed(error);
        return false;
      });
      if (!mended) failures++;
    }
    this.#hand = all.length === 0 ? 0 : (this.#hand + failures) % all.length;
    return failures === 0;
  }

  async #mend(damaged: Damaged, signal: AbortSignal): Promise<boolean> {
    const { ledger, clock, ask } = this.#options;
    const { namespace, key, position } = damaged;
    const { registry, state } = ledger;
    // The registry is read whole at each start, and a damaged record of it refuses the start. Dead namespaces are
    // removed elsewhere.
    if (namespace === registryNamespace || registry.isDead(namespace)) return false;
    const vector = position === undefined ? state.covered : new Map([[position.log, position.sequence]]);
    if (await this.#isSound(damaged)) return true;
    const call: Call = { deadlineMs: clock.monotonicMs() + askMs, signal };
    const request = { namespace, key, session: { vector, stamp: bottomStamp } };
    for await (const answer of ask(request, call)) {
      if (answer.namespace !== namespace || !registry.logs.covers(answer.covered, vector, state.covered)) continue;
      if (await this.#take(damaged, answer.record)) return true;
    }
    return false;
  }

  /** The record may have been written again, or the damage was met in a snapshot that is over. */
  #isSound(key: RecordKey): Promise<boolean> {
    return this.#options.ledger.store.read(key).then(
      () => true,
      (error: unknown) => {
        if (isMeridianError(error, 'DATA_LOSS')) return false;
        throw error;
      },
    );
  }

  /** A deletion purged elsewhere is purged here too, once every member covers it; the floor rises (rule R8). */
  #withoutIt(damaged: Damaged, view: CommitView): Decision<boolean> {
    const { logs } = this.#options.ledger.registry;
    const { covered, stable, floor } = view.state;
    const position = view.damaged(damaged)?.position ?? damaged.position;
    if (view.damaged(damaged) === undefined || position === undefined) return { result: false };
    if (!logs.coversPosition(stable, position) || !logs.coversPosition(covered, position)) return { result: false };
    const state = { floor: withPosition(floor, position) };
    return { discards: [damaged], state, silent: true, result: true };
  }

  async #take(damaged: Damaged, found: Record | undefined): Promise<boolean> {
    const { ledger } = this.#options;
    // Otherwise its value would be gone here for good, while other nodes still have it.
    if (!this.#hasEnded(mapKey(damaged.namespace, damaged.key), found)) return false;
    return ledger.submit({
      keys: [damaged],
      sync: true,
      bytes: 128 + (found?.kind === 'live' ? found.value.byteLength : 0),
      decide: (view) => {
        if (ledger.registry.isDead(damaged.namespace)) return { result: true };
        if (found === undefined) return this.#withoutIt(damaged, view);
        // A record later than all that was seen here comes by the feed. A record beyond a seal does not count.
        const isUnseen = found.stamp > view.state.highWater || ledger.registry.logs.isBeyond(found.position);
        return isUnseen ? { result: false } : inItsPlace(found, view);
      },
    });
  }

  /** If the clock here is far behind, the record would stay damaged as long: so in time other nodes' word counts. */
  #hasEnded(name: string, found: Record | undefined): boolean {
    const { settled, clock, clockHoldMs } = this.#options;
    const told = this.#expired.get(name);
    this.#expired.delete(name);
    if (hasEnded(found, settled)) return true;
    const nowMs = clock.monotonicMs();
    const isOn = told !== undefined && nowMs - told.lastMs <= Math.max(clockHoldMs, expiredApartMsMax);
    const { sinceMs, times } = isOn ? told : { sinceMs: nowMs, times: 0 };
    this.#expired.set(name, { sinceMs, lastMs: nowMs, times: times + 1 });
    return times + 1 >= expiredTimesMin && nowMs - sinceMs >= clockHoldMs;
  }
}

function inItsPlace(found: Record, view: CommitView): Decision<boolean> {
  const held = view.head(found);
  if (held === undefined) return view.damaged(found) === undefined ? { result: true } : { puts: [found], result: true };
  // The row is sound: its value was lost, or the record was written meanwhile.
  if (found.stamp === held.stamp) return { puts: [{ ...found, position: held.position }], result: true };
  return replaces(found, held) ? { puts: [found], result: true } : { result: true };
}

export function damagedRecord({ namespace, key }: RecordKey): MeridianError {
  return new MeridianError(
    'DATA_LOSS',
    `the record of ${JSON.stringify(key)} in namespace ${namespace} is damaged; writing or deleting the key heals it`,
    { reason: 'damaged-record', retryAfterMs: 1000 },
  );
}
