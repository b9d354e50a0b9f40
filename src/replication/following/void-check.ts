import { type Change, type Changes, toldIn } from '../../model/feed.ts';
import type { LogId } from '../../model/position.ts';
import { holds } from '../../model/rules.ts';
import { emptyVector, type VersionVector } from '../../model/version-vector.ts';
import { rememberLatest } from '../../runtime/remember-latest.ts';
import type { Store } from '../../store/store.ts';
import type { Ledger } from '../ledger.ts';
import { isOfLogs } from '../logs.ts';
import { unknownLogs } from '../unknown-logs.ts';

/** Generations to remember for each lost log. If a forgotten generation returns, everything is taken anew once more. */
const generationsMax = 64;

interface Judged {
  readonly covered: VersionVector;
  readonly version: number;
  /** Void logs for which everything was taken anew. */
  readonly lost: number;
  readonly coversVoid: boolean;
}

/**
 * Tells an edge whether it covers or holds anything beyond a seal, or of a void log (rule R23). Such a record came
 * before the seal was heard of, and no other node keeps it. Each ended log is looked at once: what comes beyond a seal
 * later is refused.
 *
 * Of a void log an upstream may still hold something, until somebody seals it; where its member was removed, another
 * member must do that. So what is found right after everything was taken anew is kept, as long as that upstream is
 * followed; an upstream that begins anew itself has a new generation.
 *
 *     M, followed     says that C is void: this edge holds C, and begins anew
 *     G, asked then   has yet to hear of it, and shows C: held again · goes away
 *     M               never held C: this edge begins anew once more, from M
 */
export class VoidCheck {
  readonly #ledger: Ledger;
  /** Ended logs, each with a sequence: nothing is held beyond it. */
  readonly #clean = new Map<LogId, number>();
  /** Unknown and void logs that were found when everything had been taken anew, and from the feeds of which generations. */
  readonly #lost = new Map<LogId, Map<string, true>>();
  #generation = '';
  #version = -1;
  /** The last answer of `coversVoid`, valid until what it is judged by changes. */
  #judged: Judged = { covered: emptyVector, version: -1, lost: -1, coversVoid: false };

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /**
   * True from the commit that shows that this node covers something beyond a seal, or of a void log, until everything
   * is taken anew. A deletion in such a log may have removed a record that counts again: this node then claims that
   * record and does not hold it. Asked at every hit.
   */
  get coversVoid(): boolean {
    const { state, registry } = this.#ledger;
    const { covered } = state;
    const { version } = registry.logs;
    const lost = this.#lost.size;
    const known = this.#judged;
    if (known.covered === covered && known.version === version && known.lost === lost) return known.coversVoid;
    const coversVoid = this.#judgesVoid(covered);
    this.#judged = { covered, version, lost, coversVoid };
    return coversVoid;
  }

  #judgesVoid(covered: VersionVector): boolean {
    const { logs } = this.#ledger.registry;
    if (!holds('R23 an edge begins anew')) return false;
    if (logs.beyondIn(covered) !== undefined) return true;
    return [...covered.keys()].some((log) => !this.#lost.has(log) && logs.isVoid(log, covered));
  }

  /** A stream has begun. Another upstream, or one that has begun anew since, may hold less of the lost logs. */
  opened(generation: string): void {
    if (generation === this.#generation) return;
    this.#generation = generation;
    if (this.#lost.size > 0) this.#version = -1;
  }

  /** Everything is taken anew from now on. */
  reset(): void {
    this.#clean.clear();
    this.#version = -1;
  }

  /** Everything was taken anew, from the feed of this generation: what is held of a void log is held there as well. */
  async tookAnew(): Promise<void> {
    const { registry, state } = this.#ledger;
    const known = [...registry.logs.all()].map(({ log }) => log);
    for (const log of known) if (registry.logs.isVoid(log, state.covered)) this.#lose(log);
    for (const log of await unknownLogs(this.#ledger)) this.#lose(log);
  }

  /**
   * True if what a scan brings must not be mixed with what is held: the scan's records of logs, which come first, will
   * make a covered log void once it has caught up. A deletion in that log may have removed an earlier record, which now
   * comes again:
   *
   *     held       nothing of k: deleted in C and purged; {C: 7} is covered
   *     the scan   C is void: the origin was put back to before it, and is in D · k, of A · caught up {D: 3}
   */
  foresees(event: Changes): boolean {
    if (event.step !== undefined || toldIn(event).every(isOfLogs) || !holds('R23 an edge begins anew')) return false;
    const { state, registry } = this.#ledger;
    const { logs } = registry;
    return [...state.covered.keys()].some((log) => {
      return logs.get(log)?.seal === undefined && logs.mayBePassed(log) && !this.#wasLost(log);
    });
  }

  /** Records were taken in: a server that has not heard why a log is void may still send records of it. */
  arrived(records: readonly Pick<Change, 'position'>[]): void {
    for (const { position } of records) {
      if (this.#clean.delete(position.log)) this.#version = -1;
    }
  }

  /**
   * Asked when the feed has just caught up, so that this node knows each log that the upstream knows. True if a record
   * of an unknown log is held: it came by a scan that broke off, and the log then went with the upstream's disk.
   */
  async holdsLost(): Promise<boolean> {
    for (const log of await unknownLogs(this.#ledger)) {
      if (!this.#wasLost(log) && (await holdsFrom(this.#ledger.store, log, 1))) return true;
    }
    return false;
  }

  async holdsAny(): Promise<boolean> {
    const { store, state, registry } = this.#ledger;
    const { logs } = registry;
    const { covered } = state;
    if (!holds('R23 an edge begins anew')) return false;
    if (logs.beyondIn(covered) !== undefined) return true;
    const { version } = logs;
    if (this.#version === version) return false;
    // A record that makes a log void counts once it is covered: until then all logs are looked at again.
    const waits = logs.verdicts().some((at) => !logs.coversPosition(covered, at));
    for (const { log, seal } of [...logs.all()]) {
      // It is sealed; or nothing known makes it void, so its records came from a server that has not heard yet, and it
      // may be lost again.
      if (seal !== undefined || !logs.mayBePassed(log)) this.#lost.delete(log);
      const isVoid = seal === undefined && !this.#wasLost(log) && logs.isVoid(log, covered);
      const end = seal?.final ?? (isVoid ? 0 : Number.POSITIVE_INFINITY);
      if (end === Number.POSITIVE_INFINITY || (this.#clean.get(log) ?? Number.POSITIVE_INFINITY) <= end) continue;
      if ((isVoid && covered.has(log)) || (await holdsFrom(store, log, end + 1))) return true;
      this.#clean.set(log, end);
    }
    if (!waits) this.#version = version;
    return false;
  }

  #wasLost(log: LogId): boolean {
    return this.#lost.get(log)?.has(this.#generation) === true;
  }

  #lose(log: LogId): void {
    const generations = this.#lost.get(log) ?? new Map<string, true>();
    rememberLatest(generations, this.#generation, true, generationsMax);
    this.#lost.set(log, generations);
  }
}

async function holdsFrom(store: Pick<Store, 'snapshot'>, log: LogId, from: number): Promise<boolean> {
  const snapshot = store.snapshot();
  try {
    let isDamaged = false;
    const onDamaged = () => {
      isDamaged = true;
    };
    for await (const page of snapshot.log(log, from, onDamaged)) if (page.length > 0) return true;
    return isDamaged;
  } finally {
    await snapshot.close();
  }
}
