import { assert } from '../model/assert.ts';
import { MeridianError } from '../model/errors.ts';
import type { Opening } from '../model/feed.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { LogId, MemberId, Position } from '../model/position.ts';
import type { LiveRecord, Record } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import { counterMax, laterStamp, makeStamp, type Stamp, stampParts, stampWallMs } from '../model/stamp.ts';
import type { CommitView } from '../replication/ledger.ts';
import type { LedgerState } from '../replication/ledger-state.ts';
import { type KnownLog, type LogRecord, type Logs, logKeys } from '../replication/logs.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';

export interface OwnLogOptions {
  readonly member: MemberId;
  readonly logs: Logs;
  readonly random: Random;
  readonly clock: Clock;
}

/**
 * The log that a member writes in from one opening of its store to the next. Its first record registers it, in the same
 * batch as the first write: so every node that has anything of a log knows whose it is.
 */
export class OwnLog {
  readonly member: MemberId;
  readonly #options: OwnLogOptions;
  #log: LogId;
  /** The last sequence that was given out: never given again, even if a seal lowers what is covered. */
  #given = 0;

  constructor(options: OwnLogOptions) {
    this.member = options.member;
    this.#options = options;
    this.#log = options.random.hex(8) as LogId;
  }

  get id(): LogId {
    return this.#log;
  }

  /** Unset until its first record is on disk. */
  get opening(): Opening | undefined {
    const known = this.#options.logs.get(this.#log);
    return known === undefined ? undefined : { log: this.#log, opened: known.opened };
  }

  /** The store was opened again: nothing more is written in the earlier log (rule R2). */
  begin(): void {
    this.#log = this.#options.random.hex(8) as LogId;
    this.#given = 0;
  }

  /** What a proposal writes in this log. @throws UNAVAILABLE if others sealed it: this member was removed */
  append({ state }: Pick<CommitView, 'state'>): Append {
    const { logs, clock } = this.#options;
    if (logs.get(this.#log)?.seal !== undefined || logs.removal(this.member) !== undefined) throw removed();
    const sequence = Math.max(state.covered.get(this.#log) ?? 0, this.#given);
    const append = new Append(state, { log: this.#log, logs, sequence, nowMs: clock.wallMs() }, (last) => {
      this.#given = Math.max(this.#given, last);
    });
    // Not judged by the sequence: one given to a proposal that a full disk refused is not given again.
    const isNew = (state.covered.get(this.#log) ?? 0) === 0;
    if (isNew) append.registers((opened): LogRecord => ({ member: this.member, opened }), logKeys.log(this.#log));
    return append;
  }
}

/** The writes of one proposal, each with its stamp and position. */
export class Append {
  readonly #state: LedgerState;
  readonly #log: LogId;
  readonly #logs: Logs;
  readonly #nowMs: number;
  readonly #given: (sequence: number) => void;
  readonly #puts: Record[] = [];
  #sequence: number;
  #highWater: Stamp;

  constructor(
    state: LedgerState,
    {
      log,
      logs,
      sequence,
      nowMs,
    }: {
      readonly log: LogId;
      readonly logs: Logs;
      readonly sequence: number;
      readonly nowMs: number;
    },
    given: (sequence: number) => void,
  ) {
    this.#state = state;
    this.#log = log;
    this.#logs = logs;
    this.#sequence = sequence;
    this.#nowMs = nowMs;
    this.#highWater = state.highWater;
    this.#given = given;
  }

  /** Stamps from here on are later than this one (rule R14). */
  raise(stamp: Stamp): void {
    this.#highWater = laterStamp(this.#highWater, stamp);
  }

  /** The stamp and position of the next write. */
  next(): Pick<Record, 'stamp' | 'position'> {
    this.#highWater = nextStamp(this.#highWater, this.#nowMs, this.#log);
    return { stamp: this.#highWater, position: this.#position() };
  }

  write(record: Record): void {
    this.#puts.push(record);
  }

  /** A record of the registry. */
  registers(value: (stamp: Stamp, position: Position) => unknown, key: string): void {
    const place = this.next();
    const text = JSON.stringify(value(place.stamp, place.position));
    const record: LiveRecord = { kind: 'live', namespace: registryNamespace, key, ...place, value: Buffer.from(text) };
    this.#puts.push(record);
  }

  /** Seals a log at what the proposal covers of it (rule R22). */
  seals({ log, member, opened }: KnownLog): void {
    const final = this.#logs.reach(this.#state.covered, log);
    this.registers((): LogRecord => ({ member, opened, final }), logKeys.log(log));
  }

  /** Gives a write of another log a position here; it keeps its stamp (rule R23). */
  adopt(record: Record): void {
    this.raise(record.stamp);
    this.#puts.push({ ...record, position: this.#position() });
  }

  /** For the proposal's decision. Of several writes of one key the last one counts. */
  decided(): { readonly puts: readonly Record[]; readonly state: Pick<LedgerState, 'covered' | 'highWater'> } {
    this.#given(this.#sequence);
    const latest = new Map(this.#puts.map((record) => [record.namespace + record.key, record]));
    const covered =
      this.#puts.length === 0 ? this.#state.covered : new Map(this.#state.covered).set(this.#log, this.#sequence);
    return { puts: [...latest.values()], state: { covered, highWater: this.#highWater } };
  }

  #position(): Position {
    this.#sequence++;
    assert(Number.isSafeInteger(this.#sequence), 'a sequence fits into a number');
    return { log: this.#log, sequence: this.#sequence };
  }
}

/**
 * The next stamp of a member (rule R15): later than `highWater`, whatever the wall clock says. A clock that stepped
 * back is waited out by counting; a full counter borrows the next millisecond.
 */
export function nextStamp(highWater: Stamp, wallMs: number, log: LogId): Stamp {
  const { wallMs: highMs, counter } = stampParts(highWater);
  if (wallMs > highMs || !holds('R15 stamps rise')) return makeStamp({ wallMs, counter: 0, log });
  if (counter < counterMax) return makeStamp({ wallMs: highMs, counter: counter + 1, log });
  return makeStamp({ wallMs: highMs + 1, counter: 0, log });
}

/**
 * Refuses a session's stamp that lies further ahead than clocks may differ: it would win every conflict from here on
 * (rule R14). @throws FAILED_PRECONDITION
 */
export function checkSessionStamp(stamp: Stamp, highWater: Stamp, wallMs: number, clockSkewMsMax: number): void {
  if (stamp <= highWater) return;
  const aheadMs = stampWallMs(stamp) - wallMs;
  if (aheadMs <= clockSkewMsMax || !holds('R14 no session from the future')) return;
  throw new MeridianError(
    'FAILED_PRECONDITION',
    `the session's stamp is ${aheadMs} ms ahead of this origin's clock; at most ${clockSkewMsMax} ms are accepted`,
    { reason: 'session-ahead', limit: clockSkewMsMax, seen: aheadMs },
  );
}

function removed(): MeridianError {
  return new MeridianError('UNAVAILABLE', 'this origin was removed from the cluster: its log is sealed', {
    reason: 'removed',
  });
}
