import type { RecordKey } from '../model/key.ts';
import { registryNamespace } from '../model/namespace.ts';
import { type LogId, type MemberId, type Position, parseLogId, parseMemberId } from '../model/position.ts';
import type { Record } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import { type Session, sessionAfterAbsence, sessionAfterRecord } from '../model/session.ts';
import type { Stamp } from '../model/stamp.ts';
import { emptyVector, type VersionVector } from '../model/version-vector.ts';

/*
 * What a node knows of logs, from the registry's records, and what that makes of version vectors.
 *
 * A member opens a new log each time its store opens, and its earlier logs are then sealed (rule R22): a record says
 * where each of them ends. The writer of that record covers the log up to there, and vectors are only ever joined
 * whole. So a vector that reaches the seal's own position covers the sealed log, and needs no component for it:
 *
 *     log a: 1 2 3 4 5        seal of a: final 5, written at (b, 2)
 *     log b: 1 2 3            {a: 5, b: 3} folds to {b: 3}, which reaches 5 in a
 *                             {b: 1} reaches nothing in a; {a: 3, b: 1} reaches 3
 *
 * The position of a seal may lie in a log that is sealed itself, and so on: after a hundred restarts the first log is
 * reached through a chain of ninety-nine.
 */

/** What the keys below begin with. */
export const logKeyPrefixes = ['current/', 'log/', 'removed/'] as const;

/** The registry's keys that speak of logs: each an own record, so that they replicate like data. */
export const logKeys = {
  log: (log: LogId) => `log/${log}`,
  /** The log in which a member last said that it knows all its logs. */
  current: (member: MemberId) => `current/${member}`,
  /** A key of its own: a removed member that still lives may go on writing the other keys. */
  removed: (member: MemberId) => `removed/${member}`,
} as const;

/** True for a record of the registry that speaks of logs. */
export function isOfLogs({ namespace, key }: RecordKey): boolean {
  return namespace === registryNamespace && logKeyPrefixes.some((prefix) => key.startsWith(prefix));
}

/** The value of `log/<log>`. */
export interface LogRecord {
  readonly member: MemberId;
  /** The stamp of the first record of the log: of two logs of one member the one with the later stamp was opened later. */
  readonly opened: Stamp;
  /** The last sequence that counts; unset while the log is not sealed. */
  readonly final?: number;
}

/** The value of `current/<member>`. */
export interface CurrentRecord {
  readonly log: LogId;
}

/** The value of `removed/<member>`: it is gone for good. */
export interface Removal {
  readonly name: string;
  /** Takes over every home that it had. */
  readonly successor: MemberId;
  /** The members of the cluster at that time, as far as the survivors knew. */
  readonly members: readonly MemberId[];
  /** True if enough survivors reported what they hold of it to meet every majority; false if it was forced. */
  readonly enough: boolean;
  /** How many survivors reported. */
  readonly reports: number;
  /** The cluster was restored from a backup: what the member had beyond it is undone, and not written again. */
  readonly undone?: true;
}

export interface Seal {
  readonly final: number;
  /** The position of the record that holds the seal. */
  readonly at: Position;
}

export interface KnownLog {
  readonly log: LogId;
  readonly member: MemberId;
  readonly opened: Stamp;
  readonly seal?: Seal;
}

/** What a record of the registry says, and its position. */
interface Said<T> {
  readonly value: T;
  readonly at: Position;
  readonly stamp: Stamp;
}

/** This node, if it is a member: it knows which of its own logs it writes in. */
export interface SelfInLogs {
  readonly member: MemberId;
  readonly log: () => LogId;
}

interface Judged {
  readonly covered: VersionVector;
  readonly version: number;
  readonly ends: Map<LogId, number>;
  /** The session that was last found to need no change. */
  session: VersionVector | undefined;
}

/** Before the first sequence of a log: nothing of a void log counts. */
const beforeAll = -1;

export class Logs {
  readonly #logs = new Map<LogId, KnownLog>();
  readonly #currents = new Map<MemberId, Said<CurrentRecord>>();
  readonly #removals = new Map<MemberId, Said<Removal>>();
  /** The end of the chain of seals that begins with this log's seal, as far as it was asked. */
  readonly #ends = new Map<LogId, Position>();
  #version = 0;
  /** Where logs end, by what was known and covered then: an edge asks at every hit, and both change seldom. */
  #judged: Judged = { covered: emptyVector, version: -1, ends: new Map(), session: undefined };
  /** Set at an origin. */
  self: SelfInLogs | undefined;

  /** Grows with each change of what is known. */
  get version(): number {
    return this.#version;
  }

  /** Takes in a record of the registry, as the store now has it; true where it is one of logs. */
  apply(record: Record): boolean {
    const [kind = '', name = ''] = record.key.split('/');
    if (record.namespace !== registryNamespace || record.kind !== 'live') return false;
    if (!['log', 'current', 'removed'].includes(kind)) return false;
    const value: unknown = JSON.parse(Buffer.from(record.value).toString());
    const { position: at, stamp } = record;
    const [log, member] = [parseLogId(name), parseMemberId(name)];
    if (kind === 'log' && log !== undefined) {
      const { member: owner, opened, final } = value as LogRecord;
      this.#logs.set(log, { log, member: owner, opened, ...(final === undefined ? {} : { seal: { final, at } }) });
      this.#ends.clear();
    }
    if (kind === 'current' && member !== undefined)
      this.#currents.set(member, { value: value as CurrentRecord, at, stamp });
    if (kind === 'removed' && member !== undefined) this.#removals.set(member, { value: value as Removal, at, stamp });
    this.#version++;
    return true;
  }

  clear(): void {
    for (const map of [this.#logs, this.#currents, this.#removals, this.#ends]) map.clear();
    this.#version++;
  }

  get(log: LogId): KnownLog | undefined {
    return this.#logs.get(log);
  }

  all(): Iterable<KnownLog> {
    return this.#logs.values();
  }

  /** Oldest first. */
  of(member: MemberId): readonly KnownLog[] {
    const own = [...this.#logs.values()].filter((known) => known.member === member);
    return own.sort((a, b) => (a.opened < b.opened ? -1 : 1));
  }

  /** The log that the member opened last, as far as is known. */
  newest(member: MemberId): KnownLog | undefined {
    let newest: KnownLog | undefined;
    for (const known of this.#logs.values()) {
      if (known.member === member && (newest === undefined || known.opened > newest.opened)) newest = known;
    }
    return newest;
  }

  removal(member: MemberId): Removal | undefined {
    return this.#removals.get(member)?.value;
  }

  /** The position of the record that says so. */
  removalAt(member: MemberId): Position | undefined {
    return this.#removals.get(member)?.at;
  }

  removals(): ReadonlyMap<MemberId, Removal & { readonly stamp: Stamp }> {
    return new Map([...this.#removals].map(([member, { value, stamp }]) => [member, { ...value, stamp }]));
  }

  /** The log in which the member last said that it knows all its logs. */
  current(member: MemberId): LogId | undefined {
    return this.#currents.get(member)?.value.log;
  }

  /** The positions of the records that make logs void once these records are covered. */
  verdicts(): readonly Position[] {
    return [...this.#currents.values(), ...this.#removals.values()].map(({ at }) => at);
  }

  /** How far the vector covers the log: its own component, or all up to a seal that it implies. */
  reach(vector: VersionVector, log: LogId): number {
    const own = vector.get(log) ?? 0;
    const seal = this.#logs.get(log)?.seal;
    if (seal === undefined || own >= seal.final || seal.at.log === log) return own;
    return this.coversPosition(vector, seal.at) ? seal.final : own;
  }

  coversPosition(vector: VersionVector, position: Position): boolean {
    let { log, sequence } = position;
    if (isReached(vector, position)) return true;
    // Most vectors reach the end of the chain, however many openings ago the position was: then nothing is walked.
    const end = this.isBeyond(position) ? undefined : this.#endOf(log);
    if (end !== undefined && isReached(vector, end)) return true;
    for (let hops = 0; hops <= this.#logs.size; hops++) {
      if ((vector.get(log) ?? 0) >= sequence) return true;
      const seal = this.#logs.get(log)?.seal;
      if (seal === undefined || (sequence > seal.final && holds('folding: up to the seal'))) return false;
      ({ log, sequence } = seal.at);
    }
    return false; // Seals that name each other's logs in a ring imply nothing.
  }

  /** The last position of the chain of seals from this log's on: a vector that reaches it covers the whole chain. */
  #endOf(log: LogId): Position | undefined {
    const passed: LogId[] = [];
    let end: Position | undefined;
    for (let at = log; passed.length <= this.#logs.size; ) {
      const known = this.#ends.get(at);
      const seal = this.#logs.get(at)?.seal;
      end = known ?? seal?.at ?? end;
      if (known !== undefined || seal === undefined) break;
      passed.push(at);
      const next = this.#logs.get(seal.at.log)?.seal;
      if (next === undefined || next.at.log === seal.at.log || seal.at.sequence > next.final) break;
      at = seal.at.log;
    }
    if (end !== undefined) for (const each of passed) this.#ends.set(each, end);
    return end;
  }

  /** True for a position beyond the end of a sealed log. */
  isBeyond({ log, sequence }: Position): boolean {
    const seal = this.#logs.get(log)?.seal;
    return seal !== undefined && sequence > seal.final;
  }

  /** A log in which the vector goes beyond the seal; undefined = none. */
  beyondIn(vector: VersionVector): LogId | undefined {
    for (const [log, sequence] of vector) if (this.isBeyond({ log, sequence })) return log;
    return undefined;
  }

  /**
   * True for a log that no member ever saw (rule R22): its member had heard of all its logs, did not seal this one, and
   * went on in a later one. `covered` is what this node covers: it must include all that the member said before.
   */
  isVoid(log: LogId, covered: VersionVector): boolean {
    return this.#logs.get(log)?.seal === undefined && this.isPassed(log, covered);
  }

  /** True for a log that is void unless a seal of it counts. */
  isPassed(log: LogId, covered: VersionVector): boolean {
    const known = this.#logs.get(log);
    if (known === undefined || !holds('R22 void logs')) return false;
    const removal = this.#removals.get(known.member);
    if (removal !== undefined && this.coversPosition(covered, removal.at)) return true;
    const current = this.#currents.get(known.member);
    if (current === undefined || !this.coversPosition(covered, current.at)) return false;
    const { log: named } = current.value;
    if (log === named) return false;
    if (this.self?.member === known.member) return named === this.self.log();
    return known.opened < (this.#logs.get(named)?.opened ?? '');
  }

  /** As `isPassed`, by all that this node has heard of logs so far, covered or not. */
  mayBePassed(log: LogId): boolean {
    const known = this.#logs.get(log);
    if (known === undefined) return false;
    const named = this.#currents.get(known.member)?.value.log;
    if (this.#removals.has(known.member)) return true;
    return named !== undefined && named !== log && known.opened < (this.#logs.get(named)?.opened ?? '');
  }

  /** True for a position beyond a seal, or in a void log (rule R23). Asked at every hit. */
  hasEnded({ log, sequence }: Position, covered: VersionVector): boolean {
    return sequence > this.#endAt(log, covered);
  }

  /** The last sequence of the log that may count, judged again only when what is known or covered changes. */
  #endAt(log: LogId, covered: VersionVector): number {
    if (this.self !== undefined) return this.#judgeEnd(log, covered); // A member's own log counts too, and may change.
    const { ends } = this.#judgedBy(covered);
    const known = ends.get(log);
    if (known !== undefined) return known;
    if (!this.#logs.has(log)) return Number.POSITIVE_INFINITY; // A caller's session may name any: those take no room here.
    const end = this.#judgeEnd(log, covered);
    ends.set(log, end);
    return end;
  }

  #judgedBy(covered: VersionVector): Judged {
    if (this.#judged.covered !== covered || this.#judged.version !== this.#version) {
      this.#judged = { covered, version: this.#version, ends: new Map(), session: undefined };
    }
    return this.#judged;
  }

  #judgeEnd(log: LogId, covered: VersionVector): number {
    const seal = this.#logs.get(log)?.seal;
    if (seal !== undefined) return seal.final;
    return this.isPassed(log, covered) ? beforeAll : Number.POSITIVE_INFINITY;
  }

  /** How much of a component counts at a node with this covered vector: up to the seal; nothing in a void log. */
  counting(log: LogId, sequence: number, covered: VersionVector): number {
    const seal = this.#logs.get(log)?.seal;
    // If the seal is known and not covered yet, what replaces the rest of the log may still be on its way.
    if (seal !== undefined) return this.coversPosition(covered, seal.at) ? Math.min(sequence, seal.final) : sequence;
    return this.isVoid(log, covered) ? 0 : sequence;
  }

  /** The logs of which `vector` covers less than what counts of `required`, at a node that covers `covered`. */
  missing(vector: VersionVector, required: VersionVector, covered: VersionVector = vector): LogId[] {
    const missing: LogId[] = [];
    for (const [log, sequence] of required) {
      if ((vector.get(log) ?? 0) >= sequence) continue;
      if (this.reach(vector, log) < this.counting(log, sequence, covered)) missing.push(log);
    }
    return missing;
  }

  /**
   * The logs of which `vector` covers less than a session names, whatever the seals say. An edge asks for this: a seal
   * or a removal that it knows may be forgotten by now (its writer's disk was put back), and then what lies beyond it
   * counts. Origins decide that; their answer names what these components stand for in the rest of the session.
   */
  uncovered(vector: VersionVector, session: VersionVector): LogId[] {
    if (!holds('R14 an edge cuts no session')) return this.missing(vector, session);
    const uncovered: LogId[] = [];
    for (const [log, sequence] of session) if (this.reach(vector, log) < sequence) uncovered.push(log);
    return uncovered;
  }

  covers(vector: VersionVector, required: VersionVector, covered: VersionVector = vector): boolean {
    return this.missing(vector, required, covered).length === 0;
  }

  /** The vector without the components of sealed logs that the rest implies. */
  fold(vector: VersionVector): VersionVector {
    let rest: Map<LogId, number> | undefined;
    for (const [log, sequence] of vector) {
      const seal = this.#logs.get(log)?.seal;
      if (seal === undefined || sequence > seal.final) continue;
      rest ??= new Map(vector);
      rest.delete(log);
      const isImplied = this.coversPosition(rest, seal.at) || !holds('folding: by what the rest implies');
      if (!isImplied) rest.set(log, sequence);
    }
    return rest === undefined || rest.size === vector.size ? vector : rest;
  }

  /** The vector with a component for each log that it covers part of: the receiver may not know the seals yet. */
  unfold(vector: VersionVector): VersionVector {
    const unfolded = new Map(vector);
    const seals = new Map<LogId, boolean>();
    for (const [log, { seal }] of this.#logs) {
      const own = vector.get(log) ?? 0;
      const isImplied = seal !== undefined && own < seal.final && seal.at.log !== log;
      if (isImplied && this.#coversSeal(vector, log, seals)) unfolded.set(log, seal.final);
    }
    return unfolded;
  }

  /** Whether the vector covers the log's seal. @param told answers for the logs asked before, each looked at once */
  #coversSeal(vector: VersionVector, log: LogId, told: Map<LogId, boolean>): boolean {
    const passed: LogId[] = [];
    let covers = false;
    for (let at = log; ; ) {
      const before = told.get(at);
      const seal = this.#logs.get(at)?.seal;
      if (before !== undefined || seal === undefined) {
        covers = before ?? false;
        break;
      }
      told.set(at, false); // Until a later seal of the chain says otherwise: a ring implies nothing.
      passed.push(at);
      covers = isReached(vector, seal.at);
      if (covers || (this.isBeyond(seal.at) && holds('folding: up to the seal'))) break;
      at = seal.at.log;
    }
    for (const each of passed) told.set(each, covers);
    return covers;
  }

  /** The vector with each component lowered to the seal of its log (rule R23), folded. */
  clip(vector: VersionVector): VersionVector {
    if (this.beyondIn(vector) === undefined) return this.fold(vector);
    // What the lowered component implied is still covered.
    const clipped = new Map<LogId, number>();
    for (const [log, sequence] of this.unfold(vector)) {
      const final = this.#logs.get(log)?.seal?.final ?? sequence;
      if (Math.min(sequence, final) > 0) clipped.set(log, Math.min(sequence, final));
    }
    return this.fold(clipped);
  }

  /**
   * The session after an answer of this node (rule R14). It stays as small as the cluster: a component that it leaves
   * out is implied by the rest. What nobody will ever have an origin leaves out, by proof, before it answers.
   */
  session(asked: Session, seen: SeenBySession, covered: VersionVector): Session {
    const after =
      'covered' in seen
        ? holds('R14 an absence counts')
          ? sessionAfterAbsence(asked, seen.covered)
          : asked
        : holds('R14 what was shown counts')
          ? sessionAfterRecord(asked, seen.position, seen.stamp)
          : asked;
    const vector = this.#sessionVector(after.vector, covered);
    return vector === after.vector ? after : { vector, stamp: after.stamp };
  }

  #sessionVector(vector: VersionVector, covered: VersionVector): VersionVector {
    if (this.self !== undefined) return this.#shortened(vector, covered);
    const judged = this.#judgedBy(covered);
    if (judged.session === vector) return vector; // Most hits of one caller carry the same.
    const shortened = this.#shortened(vector, covered);
    if (shortened === vector) judged.session = vector;
    return shortened;
  }

  #shortened(vector: VersionVector, covered: VersionVector): VersionVector {
    let smaller: Map<LogId, number> | undefined;
    for (const [log, sequence] of vector) {
      const seal = this.#logs.get(log)?.seal;
      if (seal === undefined || seal.at.log === log || !this.coversPosition(covered, seal.at)) continue;
      if (sequence > seal.final && holds('R14 a cut by proof')) continue;
      smaller ??= new Map(vector);
      smaller.delete(log);
      // The last seal of the chain lies in a log that goes on.
      const at = this.#lastSeal(log, seal, covered);
      if ((smaller.get(at.log) ?? 0) < at.sequence) smaller.set(at.log, at.sequence);
    }
    return smaller ?? vector;
  }

  #lastSeal(log: LogId, seal: Seal, covered: VersionVector): Position {
    const end = this.#endOf(log);
    if (end !== undefined && isReached(covered, end)) return end;
    let { at } = seal;
    for (let hops = 0; hops < this.#logs.size; hops++) {
      const next = this.#logs.get(at.log)?.seal;
      if (next === undefined || next.at.log === at.log || at.sequence > next.final) return at;
      if (!this.coversPosition(covered, next.at)) return at;
      ({ at } = next);
    }
    return at;
  }
}

function isReached(vector: VersionVector, { log, sequence }: Position): boolean {
  return (vector.get(log) ?? 0) >= sequence;
}

/** What an answer shows a session: a record; or an absence or a page, told by the responder's covered vector. */
export type SeenBySession =
  | { readonly position: Position; readonly stamp: Stamp }
  | { readonly covered: VersionVector };
