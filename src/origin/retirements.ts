import type { Call } from '../model/call.ts';
import type { Report, ReportRequest, Retired, RetireRequest } from '../model/cluster.ts';
import { isMeridianError, MeridianError } from '../model/errors.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { OriginId } from '../model/position.ts';
import { emptyVector } from '../model/version-vector.ts';
import { type Membership, membershipKeys, type RegisteredOrigin, type Retirement } from '../replication/membership.ts';
import { majorityOf } from './durability.ts';
import { finalSequence, restated } from './final-sequence.ts';
import { type Registering, registryPuts } from './founding.ts';
import type { Peers } from './peers.ts';

export interface RetirementsOptions extends Registering {
  readonly peers: Pick<Peers, 'reach' | 'sweptFrom'>;
}

interface OpenReport {
  readonly initiator: OriginId;
  readonly untilMs: number;
}

/** Who is removed, or asked. */
type Target = Pick<RegisteredOrigin, 'id' | 'name'>;

interface Reported {
  readonly by: OriginId;
  readonly report: Report;
}

/** Milliseconds for which a survivor that has reported to one initiator reports to no other. */
const reportHoldsMs = 60_000;
/** Milliseconds within which the initiator decides; past that its reports may have been given to another. */
const decideMs = 30_000;
/** Milliseconds within which the others are told that nothing is decided. */
const withdrawMs = 5_000;
const reportName = (origin: OriginId) => `origin/report/${origin}`;

/** Removes origins for good (rule R22): collects what the survivors hold, and records the final sequence. */
export class Retirements {
  readonly #options: RetirementsOptions;
  /** What is being removed from here now: once at a time, so that a failure withdraws its own report alone. */
  readonly #deciding = new Set<OriginId>();
  /** What this origin reported, as on disk. */
  readonly #reported = new Map<OriginId, OpenReport>();

  constructor(options: RetirementsOptions) {
    this.#options = options;
  }

  /** Reads what was reported before a restart. */
  async start(): Promise<void> {
    for (const { id } of this.#options.ledger.registry.membership.registered()) {
      const open = await this.#open(id);
      if (open !== undefined) this.#reported.set(id, open);
    }
  }

  /**
   * Whoever has reported takes nothing more of that origin, and so acknowledges nothing more to it: what it has
   * acknowledged at majority, its heir knows (rule R22). @throws FAILED_PRECONDITION while a removal may be decided
   */
  mayTake(origin: OriginId): void {
    const open = this.#reported.get(origin);
    if (open === undefined || open.untilMs <= this.#options.clock.wallMs()) return;
    throw new MeridianError('FAILED_PRECONDITION', `${open.initiator} is removing ${origin}: it is not followed`, {
      reason: 'retirement-open',
      retryAfterMs: 1000,
    });
  }

  /** What this origin holds of one that is being removed; kept on disk, so that a restart reports to the same one. */
  async report({ origin, initiator, reporter, withdraws = false }: ReportRequest): Promise<Report> {
    const { ledger, self, clock } = this.#options;
    if (reporter !== self) {
      throw new MeridianError('UNAVAILABLE', `this is origin ${self}, not ${reporter}`, { reason: 'another-origin' });
    }
    if (withdraws) {
      await this.#release(origin, initiator);
      return { sequence: 0, history: [], covered: emptyVector, registered: [] };
    }
    if (origin === self) throw failed('not-myself', 'an origin does not report on itself while it is up');
    const known = ledger.registry.membership.retirement(origin);
    if (known !== undefined) throw failed('retired', `${known.name} is removed already`);
    const open = await this.#open(origin);
    const taken = open !== undefined && open.untilMs > clock.wallMs() && open.initiator !== initiator;
    if (taken)
      throw failed('retirement-open', `${open.initiator} is removing ${origin} already; ask again in a minute`);
    const report: OpenReport = { initiator, untilMs: clock.wallMs() + reportHoldsMs };
    const meta = new Map([[reportName(origin), Buffer.from(JSON.stringify(report))]]);
    return ledger.submit({
      keys: [],
      sync: true,
      bytes: 0,
      decide: ({ state }) => {
        // From here on, in the order of commits: where this one fails, a report too much runs out by itself.
        this.#reported.set(origin, report);
        const { covered, epochs } = state;
        const registered = [...ledger.registry.membership.counted()];
        const held = { sequence: covered.get(origin) ?? 0, history: epochs.get(origin) ?? [] };
        return { meta, result: { ...held, covered, registered } };
      },
    });
  }

  async retire(request: RetireRequest, call: Call): Promise<Retired> {
    const { ledger, self } = this.#options;
    const target = named(request.name, ledger.registry.membership);
    if (target.id === self) throw failed('not-myself', 'ask another origin to remove this one');
    if (this.#deciding.has(target.id)) throw failed('retirement-open', `${target.name} is being removed from here`);
    this.#checkSweeps(target);
    this.#deciding.add(target.id);
    try {
      // Its own first: where that is refused, nobody else is kept from reporting to who is removing it already.
      const own = await this.report({ origin: target.id, initiator: self, reporter: self }).catch(
        async (error: unknown) => {
          await this.#release(target.id, self);
          throw error;
        },
      );
      const { retirements, retired } = await this.#decide(target, own, request, call).catch(async (error: unknown) => {
        await this.#withdraw(target.id);
        throw error;
      });
      // Where this fails it may be on the disk all the same: no report is given back.
      await this.#record(retirements);
      return retired;
    } finally {
      this.#deciding.delete(target.id);
    }
  }

  /** Who is swept from is followed no more until it has heard of the removal, and is served nothing until then (R21). */
  #checkSweeps(target: Target): void {
    const { peers, ledger } = this.#options;
    // Who has yet to catch up for the first time has served no feed.
    const swept = peers.sweptFrom().filter((id) => id !== target.id);
    const from = ledger.registry.membership.members().find(({ id }) => swept.includes(id));
    if (from === undefined) return;
    const message = `this origin takes over what it missed from ${from.name}; ask again after that`;
    throw new MeridianError('UNAVAILABLE', message, { reason: 'sweep-open', retryAfterMs: 1000 });
  }

  async #decide(
    target: Target,
    own: Report,
    { force, witness }: RetireRequest,
    call: Call,
  ): Promise<{ readonly retirements: readonly Retirement[]; readonly retired: Retired }> {
    const { ledger, self, clock } = this.#options;
    const { membership } = ledger.registry;
    const begunMs = clock.monotonicMs();
    const known = membership.registered().filter(({ id }) => id !== target.id);
    const { reports, missing: away } = await this.#reports(target.id, own, known, call);
    // Whom only survivors know yet counts as well: it was let in by who is removed, perhaps, and all hear of it by this.
    const named = new Set([...membership.counted(), ...reports.flatMap(({ report }) => report.registered)]);
    const heardOf = [...named].filter((id) => id !== target.id && membership.retirement(id) === undefined);
    const unmet = heardOf.filter((id) => !known.some((origin) => origin.id === id)).map((id) => ({ id, name: id }));
    const others = [...known, ...unmet];
    const missing = [...away, ...unmet];
    const members = others.length + 1;
    const needed = members - majorityOf(members) + 1;
    if (reports.length < needed && !force) throw tooFew(target, reports.length, needed, missing);
    if (clock.monotonicMs() - begunMs > decideMs) {
      throw new MeridianError('UNAVAILABLE', 'the survivors took too long to report; ask again', {
        reason: 'retirement-late',
      });
    }
    const held = reports.map(({ report }) => report);
    const final = finalSequence(held, witness);
    const awaited = reports.filter(({ report }) => report.sequence > final).map(({ by }) => by);
    const retirement: Retirement = {
      id: target.id,
      name: target.name,
      final,
      heir: self,
      adopters: others.map(({ id }) => id),
      ...(awaited.length === 0 ? {} : { awaited }),
    };
    const retired = { id: target.id, name: target.name, final, missing: missing.map((origin) => origin.name) };
    return { retirements: [retirement, ...restated(membership.retirements(), held)], retired };
  }

  /**
   * Nothing will be decided by the reports that were given here: another initiator may have them. Else two that each wait
   * for the other's would renew their own for ever. Whoever does not hear it, or whose disk fails, waits till it runs out.
   */
  async #withdraw(origin: OriginId): Promise<void> {
    const { self, peers, clock, ledger } = this.#options;
    const call = { deadlineMs: clock.monotonicMs() + withdrawMs, signal: new AbortController().signal };
    for (const { id } of ledger.registry.membership.registered()) {
      if (id === self || id === origin) continue;
      peers
        .reach(id)
        ?.report({ origin, initiator: self, reporter: id, withdraws: true }, call)
        .catch(() => {});
    }
    await this.#release(origin, self);
  }

  async #release(origin: OriginId, initiator: OriginId): Promise<void> {
    const open = await this.#open(origin).catch(() => undefined);
    if (open?.initiator !== initiator) return;
    this.#reported.delete(origin);
    const meta = new Map([[reportName(origin), undefined]]);
    const withdrawn = { keys: [], sync: true, bytes: 0, decide: () => ({ meta, result: undefined }) };
    await this.#options.ledger.submit(withdrawn).catch(() => {});
  }

  async #reports(
    target: OriginId,
    own: Report,
    others: readonly RegisteredOrigin[],
    call: Call,
  ): Promise<{ readonly reports: readonly Reported[]; readonly missing: readonly RegisteredOrigin[] }> {
    const { self, peers } = this.#options;
    const asked = others.map(async ({ id }) => {
      if (id === self) return own;
      return peers.reach(id)?.report({ origin: target, initiator: self, reporter: id }, call);
    });
    // All are waited for: a report that came behind its withdrawal would be open till it runs out.
    const answered = await Promise.allSettled(asked);
    const answers = answered.map((answer) => {
      if (answer.status === 'fulfilled') return answer.value;
      // Somebody else is removing it, or has: that is for the caller to know.
      if (isMeridianError(answer.reason, 'FAILED_PRECONDITION')) throw answer.reason;
      return undefined;
    });
    return {
      reports: others.flatMap(({ id }, index) => {
        const report = answers[index];
        return report === undefined ? [] : [{ by: id, report }];
      }),
      missing: others.filter((_, index) => answers[index] === undefined),
    };
  }

  async #record(retirements: readonly Retirement[]): Promise<void> {
    const values = retirements.map((each): [string, Retirement] => [membershipKeys.retired(each.id), each]);
    await this.#options.ledger.submit({
      keys: values.map(([key]) => ({ namespace: registryNamespace, key })),
      sync: true,
      bytes: 512 * values.length,
      decide: (view) => ({ ...registryPuts(this.#options, values, view), result: undefined }),
    });
  }

  async #open(origin: OriginId): Promise<OpenReport | undefined> {
    const stored = await this.#options.ledger.store.meta(reportName(origin));
    return stored === undefined ? undefined : (JSON.parse(Buffer.from(stored).toString()) as OpenReport);
  }
}

/** One that is known by a removal alone has no name here but its id. */
function named(name: string, membership: Membership): Target {
  const counted = [...membership.counted()].map((id) => membership.origin(id) ?? { id, name: id });
  const found = counted.filter((origin) => origin.id === name || origin.name === name);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const ids = found.map(({ id }) => id).join(', ');
  throw new MeridianError(
    'NOT_FOUND',
    only === undefined
      ? `no origin is called ${name}`
      : `several origins are called ${name}; name one by its id: ${ids}`,
    { reason: 'unknown-origin' },
  );
}

function tooFew(target: Target, seen: number, limit: number, missing: readonly Target[]): MeridianError {
  const away = missing.map(({ name }) => name).join(', ');
  return new MeridianError(
    'FAILED_PRECONDITION',
    `${limit} of the other origins must report what they hold of ${target.name}, ${seen} did; away: ${away}. ` +
      'Forced, writes that only it and they hold are lost, acknowledged at majority or not.',
    { reason: 'too-few-reports', limit, seen },
  );
}

function failed(reason: string, message: string): MeridianError {
  return new MeridianError('FAILED_PRECONDITION', message, { reason });
}
