import type { UnsealedLog } from '../../model/cluster.ts';
import { type NamespaceId, registryNamespace } from '../../model/namespace.ts';
import type { LogId, MemberId, Position } from '../../model/position.ts';
import { holds } from '../../model/rules.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { Ledger } from '../../replication/ledger.ts';
import { type KnownLog, logKeys } from '../../replication/logs.ts';
import type { Clock } from '../../runtime/clock.ts';
import { lookAgain, Notice } from '../../runtime/notice.ts';
import type { OwnLog } from '../own-log.ts';
import type { Stability } from '../stability.ts';
import type { Membership } from './membership.ts';

/*
 * Sealing the logs of past openings (rule R22). A log gets no more writes once its store was opened again; where it ends
 * is known when nobody can have more of it:
 *
 *     a wrote in l1, and opens its store again: from now on it writes in l2
 *     (l2, 1)          registers l2
 *     b tells {l1: 7, l2: 1}: it heard of l2, so it takes nothing more of l1 from a, and it has 7 of it
 *     a covers 7       of l1, from its own disk or from b's feed
 *     (l2, 2)          "l1 ends at 7"
 *     (l2, 3)          "l2 is current": all logs of a are known, so any other that is not sealed was never seen by a member
 */

export interface SealingOptions {
  readonly ledger: Ledger;
  readonly ownLog: OwnLog;
  readonly stability: Stability;
  readonly membership: Pick<Membership, 'serves'>;
  readonly clock: Clock;
}

/** Milliseconds between looks; what is told, or changes in the registry, is noticed at once. */
const lookIntervalMs = 1000;

/** What this opening waits for before it seals its past. */
interface Asked {
  readonly log: LogId;
  /** What each other member told after this opening's first record. */
  readonly pinned: Map<MemberId, VersionVector>;
  /** True once it has sealed by that. */
  sealed: boolean;
}

/** The logs passed along a chain of seals, and whether one of them came twice. */
interface Seen {
  readonly logs: Set<LogId>;
  again: boolean;
}

export class Sealing {
  readonly #options: SealingOptions;
  readonly #changed = new Notice();
  #asked: Asked;

  constructor(options: SealingOptions) {
    this.#options = options;
    this.#asked = this.#askAll();
  }

  /** True once this opening has sealed its past, and no log of it has come to light since. */
  get isComplete(): boolean {
    return this.#asked.sealed && this.#asked.log === this.#options.ownLog.id && this.#unsealed().length === 0;
  }

  /** The logs of this member's past that are not sealed yet, and the members that they wait for. */
  waiting(): readonly UnsealedLog[] {
    const { members } = this.#options.ledger.registry;
    const waitsFor = this.#unheard().map((id) => members.nameOf(id));
    return this.#unsealed().map(({ log }) => ({ log, waitsFor }));
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, ledger, stability } = this.#options;
    ledger.registry.onChange(() => this.#changed.give(), signal);
    stability.onChange(() => this.#changed.give(), signal);
    // The ledger reports a failed disk; this is then tried again.
    await lookAgain(this.#changed, () => this.look(), { clock, restMs: lookIntervalMs, signal });
  }

  async look(): Promise<void> {
    const { membership, ownLog } = this.#options;
    if (!membership.serves || ownLog.opening === undefined) return;
    const isOther = this.#asked.log !== ownLog.id;
    // A peer's disk that was put back may bring a log of this member that nobody knew any more: all are asked again.
    const comesToLight = this.#asked.sealed && this.#unsealed().length > 0 && holds('R22 all are asked again');
    if (isOther || comesToLight) this.#asked = this.#askAll();
    this.#pin();
    if (!this.#asked.sealed && this.#unheard().length === 0 && this.#coversPinned()) await this.#seal();
    await this.#sealForRemoved();
  }

  #askAll(): Asked {
    return { log: this.#options.ownLog.id, pinned: new Map(), sealed: false };
  }

  /** A member that tells that it knows this opening takes nothing more of earlier ones, from any stream. */
  #pin(): void {
    const { ledger, stability } = this.#options;
    const { log, pinned } = this.#asked;
    for (const id of this.#unheard()) {
      const told = stability.told(id);
      if (told !== undefined && ledger.registry.logs.coversPosition(told, { log, sequence: 1 })) pinned.set(id, told);
    }
  }

  /** The members that have not told yet that they know this opening's first record. */
  #unheard(): MemberId[] {
    if (!holds('R22 sealing waits for all')) return [];
    return this.#options.stability.others().filter((id) => !this.#asked.pinned.has(id));
  }

  #coversPinned(covered: VersionVector = this.#options.ledger.state.covered): boolean {
    const { ledger, stability } = this.#options;
    const others = new Set(stability.others());
    return [...this.#asked.pinned].every(([id, told]) => !others.has(id) || ledger.registry.logs.covers(covered, told));
  }

  #unsealed(): readonly KnownLog[] {
    const { ownLog } = this.#options;
    return this.#unsealedOf(ownLog.member).filter(({ log }) => log !== ownLog.id);
  }

  /** Newest first: a seal usually lies in a later log, whose end is known by then. */
  #unsealedOf(member: MemberId, ends = new Map<LogId, number>()): readonly KnownLog[] {
    const logs = [...this.#options.ledger.registry.logs.of(member)].reverse();
    return logs.filter(({ seal }) => seal === undefined || this.#isVoid(seal.at, ends)).reverse();
  }

  /** One batch: where each past log ends, and last of all that this one is current. */
  async #seal(): Promise<void> {
    const { ledger, ownLog } = this.#options;
    const asked = this.#asked;
    const unsealed = this.#unsealed();
    const currentKey = logKeys.current(ownLog.member);
    asked.sealed = await ledger.submit({
      keys: [...unsealed.map(({ log }) => logKeys.log(log)), currentKey].map(registryKey),
      sync: true,
      bytes: 256 * (unsealed.length + 1),
      decide: (view) => {
        // An earlier commit failed and began a new log: nobody has told of that log, and the one before it is past too.
        if (ownLog.id !== asked.log) return { result: false };
        const append = ownLog.append(view);
        for (const known of unsealed) append.seals(known);
        append.registers(() => ({ log: ownLog.id }), currentKey);
        return { ...append.decided(), result: true };
      },
    });
  }

  /**
   * A log of a removed member came to light later, or its seal was lost: that member's successor seals it, once it
   * covers all that the others cover.
   */
  async #sealForRemoved(): Promise<void> {
    const { ledger, ownLog, stability } = this.#options;
    const { logs, members } = ledger.registry;
    const mine = [...logs.removals()].filter(
      ([, { successor }]) => members.home(noNamespace, successor) === ownLog.member,
    );
    const ends = new Map<LogId, number>();
    const open = mine.flatMap(([member]) => this.#unsealedOf(member, ends));
    if (open.length === 0) return;
    const coversAll = (covered: VersionVector) =>
      stability.others().every((id) => {
        const told = stability.told(id);
        return told !== undefined && logs.covers(covered, told);
      });
    if (!coversAll(ledger.state.covered)) return;
    await ledger.submit({
      keys: open.map(({ log }) => registryKey(logKeys.log(log))),
      sync: true,
      bytes: 256 * open.length,
      decide: (view) => {
        if (!coversAll(view.state.covered)) return { result: undefined };
        const append = ownLog.append(view);
        for (const known of open) append.seals(known);
        return { ...append.decided(), result: undefined };
      },
    });
  }

  /** A seal no longer counts if its own position lies beyond the end of its log, be it the end that this gets now. */
  #isVoid({ log, sequence }: Position, ends: Map<LogId, number>): boolean {
    const seen: Seen = { logs: new Set(), again: false };
    const end = this.#endOf(log, ends, seen);
    // In a ring of seals the end depends on where the ring is entered.
    if (!seen.again) ends.set(log, end);
    return sequence > end && holds('R22 a void seal is made again');
  }

  #endOf(log: LogId, ends: ReadonlyMap<LogId, number>, seen: Seen): number {
    const told = ends.get(log);
    if (told !== undefined) return told;
    const { ledger, ownLog } = this.#options;
    const { logs } = ledger.registry;
    const known = logs.get(log);
    if (log === ownLog.id) return Number.POSITIVE_INFINITY;
    // The record that named it went with a disk, or is still to come: asked again once all that others cover is here.
    if (known === undefined) return logs.reach(ledger.state.covered, log);
    const { seal, member } = known;
    if (member !== ownLog.member) {
      if (seal !== undefined) return seal.final;
      return logs.isVoid(log, ledger.state.covered) ? 0 : Number.POSITIVE_INFINITY;
    }
    const isAgain = seen.logs.has(log);
    if (isAgain) seen.again = true;
    seen.logs.add(log);
    const isSealed = seal !== undefined && !isAgain && this.#endOf(seal.at.log, ends, seen) >= seal.at.sequence;
    return isSealed ? seal.final : logs.reach(ledger.state.covered, log);
  }
}

/** A namespace whose home never moved: its home is the successor of its first one. */
const noNamespace = '' as NamespaceId;

function registryKey(key: string) {
  return { namespace: registryNamespace, key };
}
