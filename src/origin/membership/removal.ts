import type { Call } from '../../model/call.ts';
import type { RemovedMember, RemoveMemberRequest, Report, ReportRequest } from '../../model/cluster.ts';
import { isMeridianError, MeridianError } from '../../model/errors.ts';
import type { Opening } from '../../model/feed.ts';
import { registryNamespace } from '../../model/namespace.ts';
import { type MemberId, parseMemberId } from '../../model/position.ts';
import { holds } from '../../model/rules.ts';
import type { Stamp } from '../../model/stamp.ts';
import { emptyVector, joinVectors, type VersionVector } from '../../model/version-vector.ts';
import type { Ledger } from '../../replication/ledger.ts';
import { logKeys, type Removal } from '../../replication/logs.ts';
import type { Members } from '../../replication/members.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Moment, momentOf, sinceMs } from '../../runtime/moment.ts';
import { waitUntil } from '../../runtime/wait-until.ts';
import { majorityOf } from '../durability.ts';
import type { OwnLog } from '../own-log.ts';
import type { Peers } from '../peers.ts';

/*
 * Removing a member for good is sealing its logs for it (rule R22).
 *
 *     report     each survivor says what it covers, and takes nothing more of the member from then on
 *     cover      the initiator waits until it covers all that was reported, by the other survivors' feeds
 *     seal       one batch: where each log of the member ends, and that it is removed; the initiator takes over its homes
 *
 * n − majority + 1 reports meet every majority: what was acknowledged at majority is among them.
 */

export interface RemovalsOptions {
  readonly ledger: Ledger;
  readonly ownLog: OwnLog;
  readonly clock: Clock;
  readonly peers: Pick<Peers, 'reach' | 'heardFromAllSince'>;
}

/** As it is on disk, with the wall time at which it runs out: monotonic time means nothing after a restart. */
interface StoredReport extends Try {
  readonly initiator: MemberId;
  readonly untilMs: number;
}

interface OpenReport extends StoredReport {
  /** Monotonic time at which it runs out: a wall clock that jumps ahead must not free it for another initiator. */
  readonly runsOutMs: number;
}

/** Identifies one attempt of an initiator to remove a member. */
interface Try {
  /** The stamp of the record that opened the log in which the initiator decides; unset = not known. */
  readonly opened?: Stamp;
  /** The number of the attempt since the process started. */
  readonly attempt?: number;
}

/** The member that is removed, or asked. */
interface Target {
  readonly id: MemberId;
  readonly name: string;
}

/** A removal under way. */
interface Asked {
  readonly target: Target;
  /** What this origin reported to itself. */
  readonly own: Report;
  /** The opening in which this origin asks. */
  readonly opening: Opening | undefined;
  readonly during: Try;
  /** When it began to ask. */
  readonly begun: Moment;
}

/** Milliseconds for which a survivor that has reported to one initiator reports to no other. */
const reportHoldsMs = 60_000;
/** Milliseconds within which the initiator decides; after that its reports may have been given to another. */
const decideMs = 30_000;
/** Milliseconds within which the others are told that nothing will be decided. */
const withdrawMs = 5_000;
const reportPrefix = 'origin/report/';
const reportName = (member: MemberId) => reportPrefix + member;

export class Removals {
  readonly #options: RemovalsOptions;
  /** The members being removed from here: each once at a time, so that a failure withdraws only its own report. */
  readonly #deciding = new Set<MemberId>();
  #attempts = 0;
  #sealings = 0;
  /** What this origin reported, as it is on disk. */
  readonly #reported = new Map<MemberId, OpenReport>();

  constructor(options: RemovalsOptions) {
    this.#options = options;
  }

  /**
   * True while a removal is on its way to the disk, however long that takes: a member that has heard all that is here,
   * and no removal, must not conclude that there is none.
   */
  get isSealing(): boolean {
    return this.#sealings > 0;
  }

  /** Reads what was reported before a restart. What this origin reported to itself then is over, see `#isOpen`. */
  async start(): Promise<void> {
    const { ledger, ownLog } = this.#options;
    // Also on members that this origin has not heard of: an initiator that knows them asked.
    for (const name of await ledger.store.metaNames()) {
      const id = name.startsWith(reportPrefix) ? parseMemberId(name.slice(reportPrefix.length)) : undefined;
      if (id === undefined || ledger.registry.members.isRemoved(id)) continue;
      const open = await this.#open(id);
      if (open?.initiator === ownLog.member) await this.#release(id, ownLog.member, open);
      else if (open !== undefined) this.#reported.set(id, open);
    }
  }

  /**
   * An origin that has reported takes nothing more of that member, and so acknowledges nothing more to it: so the
   * successor knows all that it has acknowledged at majority. @throws FAILED_PRECONDITION while a removal may be
   * decided
   */
  mayTake(member: MemberId): void {
    const open = this.#reported.get(member);
    if (open === undefined || !this.#isOpen(open)) return;
    if (!holds('R22 who reported takes nothing more')) return;
    throw new MeridianError('FAILED_PRECONDITION', `${open.initiator} is removing ${member}: it is not followed`, {
      reason: 'removal-open',
      retryAfterMs: 1000,
    });
  }

  /**
   * False from the report until its outcome is known, even after the report has run out: the initiator may have decided
   * and be away since. The successor might decide without knowing what is acknowledged meanwhile.
   */
  mayAcknowledge(member: MemberId): boolean {
    const open = this.#reported.get(member);
    if (open === undefined || !holds('R22 who reported takes nothing more')) return true;
    if (this.#isOpen(open) || !this.#knowsOutcome(open)) return false;
    this.#forget(member);
    return true;
  }

  /** The outcome of the report is known; it is not asked for again when the initiator is away. */
  #forget(member: MemberId): void {
    this.#reported.delete(member);
    const meta = new Map([[reportName(member), undefined]]);
    // Another report may come before this is committed.
    const decide = () => ({ ...(this.#reported.has(member) ? {} : { meta }), result: undefined });
    this.#options.ledger.submit({ keys: [], sync: true, bytes: 0, decide }).catch(() => {});
  }

  /** True once all that the initiator had when the report ran out is here, or the initiator cannot have decided. */
  #knowsOutcome(open: OpenReport): boolean {
    const { ledger, ownLog, peers } = this.#options;
    const { initiator, runsOutMs } = open;
    if (initiator === ownLog.member || ledger.registry.members.isRemoved(initiator) || this.#isLaterKnown(open))
      return true;
    return peers.heardFromAllSince([initiator], runsOutMs);
  }

  /**
   * An initiator decides in the opening in which it asked, or not at all. An origin that covers the first record of a
   * later opening covers all decisions before it, as far as they are still on the initiator's disk: by this report
   * nothing will be decided.
   */
  #isOpen(open: OpenReport): boolean {
    return open.runsOutMs > this.#options.clock.monotonicMs() && !this.#isLaterKnown(open);
  }

  #isLaterKnown({ initiator, opened }: OpenReport): boolean {
    const { ledger } = this.#options;
    const { logs } = ledger.registry;
    const newest = logs.newest(initiator);
    const isLater = opened !== undefined && newest !== undefined && newest.opened > opened;
    return isLater && logs.coversPosition(ledger.state.covered, { log: newest.log, sequence: 1 });
  }

  /** What this origin covers. Kept on disk as reported, so that after a restart it reports to the same initiator. */
  async report({ member, initiator, reporter, withdraws = false, ...asked }: ReportRequest): Promise<Report> {
    const { ledger, ownLog, clock } = this.#options;
    const self = ownLog.member;
    if (reporter !== self) {
      throw new MeridianError('UNAVAILABLE', `this is origin ${self}, not ${reporter}`, { reason: 'another-origin' });
    }
    if (withdraws) {
      await this.#release(member, initiator, asked);
      return { covered: emptyVector, registered: [] };
    }
    if (member === self) throw failed('not-myself', 'an origin does not report on itself while it is up');
    const { members, logs } = ledger.registry;
    if (members.isRemoved(member)) throw failed('removed', `${members.nameOf(member)} is removed already`);
    const stored = await this.#open(member);
    const report: StoredReport = { initiator, ...asked, untilMs: clock.wallMs() + reportHoldsMs };
    const runsOutMs = clock.monotonicMs() + reportHoldsMs;
    const meta = new Map([[reportName(member), Buffer.from(JSON.stringify(report))]]);
    return ledger.submit({
      keys: [],
      sync: true,
      bytes: 0,
      decide: ({ state }) => {
        const result = { covered: logs.unfold(state.covered), registered: [...members.counted()] };
        const latest = this.#reported.get(member) ?? stored;
        // Checked as it is decided: another initiator may have asked in the same moment.
        const isTaken = latest !== undefined && latest.initiator !== initiator && this.#isOpen(latest);
        if (isTaken && holds('R22 one initiator'))
          throw failed('removal-open', `${latest.initiator} is removing ${member} already; ask again in a minute`);
        // This request arrived after the next one, which must not be withdrawn with this one.
        if (latest?.initiator === initiator && isEarlier(asked, latest)) return { result };
        // From here on, in the order of commits. If this commit fails, the superfluous report runs out by itself.
        this.#reported.set(member, { ...report, runsOutMs });
        return { meta, result };
      },
    });
  }

  async remove(request: RemoveMemberRequest, call: Call): Promise<RemovedMember> {
    const { ledger, ownLog, clock } = this.#options;
    const target = named(request.name, ledger.registry.members);
    const self = ownLog.member;
    if (target.id === self) throw failed('not-myself', 'ask another origin to remove this one');
    if (this.#deciding.has(target.id)) throw failed('removal-open', `${target.name} is being removed from here`);
    this.#deciding.add(target.id);
    const { opening } = ownLog;
    const begun = momentOf(clock);
    const during: Try = { ...(opening === undefined ? {} : { opened: opening.opened }), attempt: ++this.#attempts };
    try {
      // Its own report first: if it is refused, the others stay free to report to the one that removes it already.
      const own = await this.report(this.#asking(target.id, self, during)).catch(async (error: unknown) => {
        await this.#release(target.id, self, during);
        throw error;
      });
      const asked = { target, own, opening, during, begun };
      const { removal, missing } = await this.#decide(asked, request, call).catch(async (error: unknown) => {
        await this.#withdraw(target.id, during);
        throw error;
      });
      // If this fails it may be on the disk all the same: no report is withdrawn.
      const logs = await this.#seal(removal, asked);
      return { ...target, logs, missing };
    } finally {
      this.#deciding.delete(target.id);
    }
  }

  #asking(member: MemberId, reporter: MemberId, during: Try): ReportRequest {
    return { member, initiator: this.#options.ownLog.member, reporter, ...during };
  }

  async #decide(
    asked: Asked,
    { force }: RemoveMemberRequest,
    call: Call,
  ): Promise<{ readonly removal: Removal; readonly missing: readonly string[] }> {
    const { ledger, ownLog } = this.#options;
    const { members } = ledger.registry;
    const { target } = asked;
    const known = members.registered().filter(({ id }) => id !== target.id);
    const { reports, missing: away } = await this.#reports(asked, known, call);
    // Members that only survivors know count too: the removed one may have admitted them; all hear of them by this.
    const heardOf = new Set([...members.counted(), ...reports.flatMap(({ registered }) => registered)]);
    const others = [...heardOf].filter((id) => id !== target.id && !members.isRemoved(id));
    const unmet = others.filter((id) => !known.some((member) => member.id === id));
    const missing = [...away.map(({ name }) => name), ...unmet];
    const count = others.length + 1;
    const needed = holds('R22 enough reports') ? count - majorityOf(count) + 1 : 1;
    if (reports.length < needed && !force) throw tooFew(target, reports.length, needed, missing);
    if (holds('R22 what was reported is covered')) await this.#cover(target, reports, call);
    this.#checkTime(asked);
    const enough = reports.length >= needed;
    const decided = { members: others, enough, reports: reports.length };
    return { removal: { name: target.name, successor: ownLog.member, ...decided }, missing };
  }

  /** Waits for what was reported of the member's logs. @throws UNAVAILABLE if it does not come in time */
  async #cover(target: Target, reports: readonly Report[], call: Call): Promise<void> {
    const { ledger, clock } = this.#options;
    const { logs } = ledger.registry;
    const reported = reports.reduce((joined, { covered }) => joinVectors(joined, covered), emptyVector);
    const isCovered = () => {
      const ofTarget = logs.of(target.id).map(({ log }) => [log, reported.get(log) ?? 0] as const);
      return logs.covers(ledger.state.covered, new Map(ofTarget)) && this.#knowsAll(reported);
    };
    const wait = { clock, deadlineMs: call.deadlineMs, signal: call.signal };
    if (await waitUntil(isCovered, (run) => ledger.ring.onceChanged(run), wait)) return;
    throw new MeridianError('UNAVAILABLE', `what others have of ${target.name} has not come here yet; ask again`, {
      reason: 'removal-behind',
      retryAfterMs: 1000,
    });
  }

  /** A log that was reported and is not known here may be the target's. */
  #knowsAll(reported: VersionVector): boolean {
    const { logs } = this.#options.ledger.registry;
    return [...reported.keys()].every((log) => logs.get(log) !== undefined);
  }

  /** @throws UNAVAILABLE once the reports may have been given to another initiator, perhaps while this machine slept */
  #checkTime({ begun }: Asked): void {
    const tookMs = sinceMs(begun, this.#options.clock, reportHoldsMs - decideMs);
    if (tookMs !== undefined && tookMs <= decideMs) return;
    throw new MeridianError('UNAVAILABLE', 'the survivors took too long to report; ask again', {
      reason: 'removal-late',
    });
  }

  /**
   * @throws UNAVAILABLE if the reports are void: the store, or another process of this member, was opened again
   * meanwhile, or commits before this one took long
   */
  async #seal(removal: Removal, asked: Asked): Promise<RemovedMember['logs']> {
    const { ledger, ownLog } = this.#options;
    const { logs } = ledger.registry;
    const { opening } = asked;
    const target = asked.target.id;
    const open = logs.of(target).filter(({ seal }) => seal === undefined);
    const keys = [...open.map(({ log }) => logKeys.log(log)), logKeys.removed(target)];
    const sealed = ledger.submit({
      keys: keys.map((key) => ({ namespace: registryNamespace, key })),
      sync: true,
      bytes: 512 * keys.length,
      decide: (view) => {
        this.#checkTime(asked);
        if (ownLog.opening?.log !== opening?.log || logs.newest(ownLog.member)?.log !== opening?.log) throw brokenOff();
        const append = ownLog.append(view);
        for (const known of open) append.seals(known);
        append.registers(() => removal, logKeys.removed(target));
        return { ...append.decided(), result: undefined };
      },
    });
    this.#sealings++;
    await sealed.finally(() => this.#sealings--);
    return logs.of(target).flatMap(({ log, seal }) => (seal === undefined ? [] : [{ log, final: seal.final }]));
  }

  /**
   * By the reports given to this origin nothing will be decided, so another initiator may have them. Otherwise two
   * initiators that wait for each other's reports would renew their own for ever. An origin that does not hear this, or
   * whose disk fails, waits until its report runs out.
   */
  async #withdraw(member: MemberId, during: Try): Promise<void> {
    const { ownLog, peers, clock, ledger } = this.#options;
    const initiator = ownLog.member;
    const call = { deadlineMs: clock.monotonicMs() + withdrawMs, signal: new AbortController().signal };
    for (const { id } of ledger.registry.members.registered()) {
      if (id === initiator || id === member) continue;
      peers
        .reach(id)
        ?.report({ ...this.#asking(member, id, during), withdraws: true }, call)
        .catch(() => {});
    }
    await this.#release(member, initiator, during);
  }

  /** A withdrawal may come late: a report to a later attempt stays. */
  async #release(member: MemberId, initiator: MemberId, during: Try): Promise<void> {
    const stored = await this.#open(member).catch(() => undefined);
    const meta = new Map([[reportName(member), undefined]]);
    const decide = () => {
      const open = this.#reported.get(member) ?? stored;
      if (open?.initiator !== initiator || isEarlier(during, open)) return { result: undefined };
      this.#reported.delete(member);
      return { meta, result: undefined };
    };
    await this.#options.ledger.submit({ keys: [], sync: true, bytes: 0, decide }).catch(() => {});
  }

  async #reports(
    { target, own, during }: Asked,
    others: readonly Target[],
    call: Call,
  ): Promise<{ readonly reports: readonly Report[]; readonly missing: readonly Target[] }> {
    const { ownLog, peers } = this.#options;
    const initiator = ownLog.member;
    const asked = others.map(async ({ id }) => {
      if (id === initiator) return own;
      return peers.reach(id)?.report(this.#asking(target.id, id, during), call);
    });
    // All are waited for: a report that came after its withdrawal would stay open until it runs out.
    const answered = await Promise.allSettled(asked);
    const answers = answered.map((answer) => {
      if (answer.status === 'fulfilled') return answer.value;
      // Another initiator is removing the member, or has: the caller must know that.
      if (isMeridianError(answer.reason, 'FAILED_PRECONDITION')) throw answer.reason;
      return undefined;
    });
    return {
      reports: answers.filter((report) => report !== undefined),
      missing: others.filter((_, index) => answers[index] === undefined),
    };
  }

  async #open(member: MemberId): Promise<OpenReport | undefined> {
    const { ledger, clock } = this.#options;
    const stored = await ledger.store.meta(reportName(member));
    if (stored === undefined) return undefined;
    const report = JSON.parse(Buffer.from(stored).toString()) as StoredReport;
    const leftMs = Math.min(reportHoldsMs, Math.max(0, report.untilMs - clock.wallMs()));
    return { ...report, runsOutMs: clock.monotonicMs() + leftMs };
  }
}

/** Compares two attempts of one initiator. An initiator of an earlier version does not number them. */
function isEarlier(one: Try, other: Try): boolean {
  if (one.opened === undefined || other.opened === undefined) return false;
  if (one.opened !== other.opened) return one.opened < other.opened;
  return one.attempt !== undefined && one.attempt < (other.attempt ?? 0);
}

/** A member that is known by a removal alone has no name here but its id. */
function named(name: string, members: Members): Target {
  const counted = [...members.counted()].map((id): Target => members.member(id) ?? { id, name: id });
  const found = counted.filter((member) => member.id === name || member.name === name);
  const [only] = found;
  if (only !== undefined && found.length === 1) return { id: only.id, name: only.name };
  const ids = found.map(({ id }) => id).join(', ');
  throw new MeridianError(
    'NOT_FOUND',
    only === undefined
      ? `no origin is called ${name}`
      : `several origins are called ${name}; name one by its id: ${ids}`,
    { reason: 'unknown-origin' },
  );
}

function tooFew(target: Target, seen: number, limit: number, missing: readonly string[]): MeridianError {
  return new MeridianError(
    'FAILED_PRECONDITION',
    `${limit} of the other origins must report what they hold of ${target.name}, ${seen} did; away: ${missing.join(', ')}. ` +
      'Forced, writes that only it and they hold are lost, acknowledged at majority or not.',
    { reason: 'too-few-reports', limit, seen },
  );
}

function brokenOff(): MeridianError {
  return new MeridianError('UNAVAILABLE', 'the store was opened again while the survivors reported; ask again', {
    reason: 'removal-broken-off',
  });
}

function failed(reason: string, message: string): MeridianError {
  return new MeridianError('FAILED_PRECONDITION', message, { reason });
}
