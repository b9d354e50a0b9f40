import { unreachable } from '../../model/assert.ts';
import { MeridianError } from '../../model/errors.ts';
import { registryNamespace } from '../../model/namespace.ts';
import type { LogId, MemberId } from '../../model/position.ts';
import { holds } from '../../model/rules.ts';
import { coversPosition } from '../../model/version-vector.ts';
import type { Ledger } from '../../replication/ledger.ts';
import { type Members, memberKeys, type RegisteredMember } from '../../replication/members.ts';
import type { Clock } from '../../runtime/clock.ts';
import { lookAgain, Notice } from '../../runtime/notice.ts';
import type { Random } from '../../runtime/random.ts';
import { majorityOf } from '../durability.ts';
import type { OwnLog } from '../own-log.ts';
import type { Stability } from '../stability.ts';
import { keepIdentity, keepLeaving, type Leaving, type OriginIdentity } from './identity.ts';

/*
 * What an origin is to its cluster, and what it may do therefore:
 *
 *     joining ──▶ serving ──▶ leaving       removed, or below a peer's floor: the store is put aside, and it joins anew
 *        │           └──────▶ replaced      a later opening of this member runs elsewhere: the process stops
 *        └─────────▶ leaving
 *
 *     joining     answers nobody and writes nothing; follows its peers until it has caught up (rule R19)
 *     serving     has opened its log
 */
type State =
  | { readonly kind: 'joining' }
  | { readonly kind: 'serving' }
  | { readonly kind: 'leaving'; readonly leaving: Omit<Leaving, 'peers'> }
  | { readonly kind: 'replaced'; readonly why: string };

type Admission = NonNullable<RegisteredMember['admitted']>;

/** What an origin writes of itself; its admission stays as it was. */
export type SelfDescription = Pick<RegisteredMember, 'id' | 'name' | 'region' | 'location' | 'address'>;

export interface MembershipOptions {
  readonly ledger: Ledger;
  readonly ownLog: OwnLog;
  readonly stability: Stability;
  readonly clock: Clock;
  readonly identity: OriginIdentity;
  readonly self: SelfDescription;
  /** A store was put aside. */
  readonly hasAside: boolean;
  readonly random: Random;
  /** True while each of the others answers that it does not serve yet. */
  readonly allJoin: () => boolean;
  /** Where the others are reached. */
  readonly addresses: () => readonly string[];
  /** From now on it answers, writes, and serves its feed. */
  readonly begun: () => void;
  /** It has begun a new log while it serves, as a commit had failed: streams that began meanwhile named no opening. */
  readonly openedAgain: () => void;
  /** From now on it does none of this. */
  readonly ended: (why: string) => void;
  /** Its store is marked: when it is opened again, the store is put aside and the origin begins anew. */
  readonly beginAnew: (why: string) => void;
  /** Another process runs a later opening of this member: this process must stop (rule R16). */
  readonly replaced: (why: string) => void;
  /** Why another process may hold the store by now; undefined while none can. */
  readonly fenced: () => string | undefined;
}

/** Milliseconds between looks; a change of the registry is noticed at once. */
const lookIntervalMs = 200;
/**
 * Milliseconds for which all others have to answer that they do not serve, and up to as many more, drawn at random: so
 * of two origins that wait for each other, one goes first.
 */
const nobodyServesMs = 500;

export class Membership {
  readonly #options: MembershipOptions;
  readonly #changed = new Notice();
  #identity: OriginIdentity;
  #state: State = { kind: 'joining' };
  /** The log of the opening that peers were told of, or will be. */
  #named: LogId | undefined;
  /** Monotonic time at which it goes on with the store that it put aside, if nobody serves until then. */
  #takesBackAtMs: number | undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#identity = options.identity;
  }

  get clusterId(): string | undefined {
    return this.#identity.clusterId;
  }

  get serves(): boolean {
    return this.#state.kind === 'serving' && this.#options.fenced() === undefined;
  }

  /** Why it does not serve; unset while it does. */
  get reason(): string | undefined {
    const state = this.#state;
    switch (state.kind) {
      case 'serving':
        return this.#options.fenced();
      case 'joining':
        return this.#whyJoining();
      case 'leaving':
        return `this origin begins anew: ${state.leaving.why}`;
      case 'replaced':
        return state.why;
      default:
        return unreachable(state);
    }
  }

  get #reasonCode(): string {
    return this.#state.kind === 'serving' ? 'lease-expired' : this.#state.kind;
  }

  /** @throws UNAVAILABLE if it takes nothing from anybody any more */
  checkTakes(): void {
    if (this.#state.kind === 'joining' || this.serves) return;
    throw new MeridianError('UNAVAILABLE', this.reason ?? '', { reason: this.#reasonCode, retryAfterMs: 1000 });
  }

  /** @throws UNAVAILABLE if it answers nobody */
  check(): void {
    if (this.serves) return;
    const message = `this origin does not serve: ${this.reason}`;
    throw new MeridianError('UNAVAILABLE', message, { reason: this.#reasonCode, retryAfterMs: 1000 });
  }

  /** A peer named its cluster. @throws FAILED_PRECONDITION if this origin's data belong to another one */
  async join(clusterId: string): Promise<void> {
    if (clusterId === '')
      throw new MeridianError('UNAVAILABLE', 'the peer is of no cluster yet', { reason: 'no-cluster' });
    if (this.clusterId === clusterId) return;
    if (this.clusterId !== undefined) {
      throw new MeridianError(
        'FAILED_PRECONDITION',
        `this origin's data are of cluster ${this.clusterId}, the peer is of ${clusterId}`,
        { reason: 'other-cluster' },
      );
    }
    await this.#keep({ ...this.#identity, clusterId });
  }

  /**
   * Its disk was put back behind a purge of a peer (`same`, rule R8), or it was removed (`new`): what it holds must not
   * be mixed with what the others hold. It begins anew, and then brings back what only it has.
   */
  leave(as: Leaving['as'], why: string): void {
    if (this.#state.kind !== 'joining' && this.#state.kind !== 'serving') return;
    this.#state = { kind: 'leaving', leaving: { as, why } };
    this.#options.ended(why);
    this.#changed.give();
  }

  /** Rule R16: a later opening of this member is known: its disk was copied, or the member was started elsewhere. */
  replace(why: string): void {
    if (this.#state.kind === 'replaced' || !holds('R16 a copy stops')) return;
    this.#state = { kind: 'replaced', why };
    this.#options.ended(why);
    this.#options.replaced(why);
  }

  /**
   * Begins at once if the store has served before, or founds a cluster; but not if the process ended between hearing of
   * its own removal and noting that it leaves.
   */
  async start(): Promise<void> {
    const { ledger, self } = this.#options;
    if (ledger.registry.logs.removal(self.id) !== undefined) return;
    if (this.#identity.served || this.#identity.founds) await this.#begin();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, ledger } = this.#options;
    ledger.registry.onChange(() => this.#changed.give(), signal);
    const look = async () => {
      // The ledger reports a failed disk and opens it again; this is then tried again.
      await this.#look().catch(() => {});
      return this.#state.kind === 'leaving' && (await this.#marked(this.#state.leaving));
    };
    await lookAgain(this.#changed, look, { clock, restMs: lookIntervalMs, signal });
  }

  async #look(): Promise<void> {
    const { ledger, ownLog, self } = this.#options;
    const { logs } = ledger.registry;
    if (logs.removal(self.id) !== undefined) this.leave('new', 'it was removed from the cluster');
    const newest = logs.newest(self.id);
    const { opening } = ownLog;
    if (opening !== undefined && newest !== undefined && newest.opened > opening.opened) {
      this.replace(`this origin's store was opened a second time, in the log ${newest.log}: one of the two is a copy`);
    }
    if (this.#state.kind === 'joining' && this.#mayServe()) await this.#begin();
    else if (this.#waitsForNobody())
      this.leave('before', 'nobody serves, so it goes on with the store that it put aside');
    // The store was opened again after a failed commit, and so a new log has begun.
    else if (this.serves && opening === undefined) await this.#openLog();
    else if (this.serves && opening?.log !== this.#named) this.#nameAgain();
  }

  /** A write may have registered the new log as well. */
  #nameAgain(): void {
    this.#named = this.#options.ownLog.id;
    this.#options.openedAgain();
  }

  async #marked(leaving: Omit<Leaving, 'peers'>): Promise<boolean> {
    const { ledger, addresses, beginAnew } = this.#options;
    try {
      await keepLeaving(ledger, { ...leaving, peers: addresses() });
    } catch {
      return false; // The ledger has reported it.
    }
    beginAnew(leaving.why);
    return true;
  }

  /**
   * True once this origin holds what it must before it counts (rule R19). An admitted one covers the record that
   * admitted it, and what its admitter covered then. Also a majority of those registered then have served it: a member
   * that purges without knowing of this one purges only what that majority covers. One that rejoins was registered all
   * the time.
   */
  #mayServe(): boolean {
    const { ledger, self, stability } = this.#options;
    const { members } = ledger.registry;
    const registered = members.member(self.id);
    if (registered === undefined) return false;
    if (!holds('R19 who is admitted catches up first')) return true;
    if (stability.others().every((id) => stability.told(id) === undefined)) return false;
    const { admitted } = registered;
    if (this.#identity.rejoins === true || admitted === undefined) return true;
    return this.#coversAdmission(admitted) && this.#unheard(registered, members).length === 0;
  }

  /**
   * The admitter's disk may have been put back since, and the log with the admission may be gone: the admitter then
   * writes in a later log, and does not cover that place. Nobody can bring it, so what the admitter covers now counts.
   */
  #coversAdmission({ by, at, covered: then }: Admission): boolean {
    const { ledger, stability } = this.#options;
    const { logs } = ledger.registry;
    const { covered } = ledger.state;
    const told = stability.told(by);
    const newest = logs.newest(by);
    if (told !== undefined && newest !== undefined && newest.log !== at.log && !logs.coversPosition(told, at)) {
      return logs.covers(covered, told);
    }
    return (logs.coversPosition(covered, at) || logs.isBeyond(at)) && logs.covers(covered, new Map(then));
  }

  /**
   * True once it rejoins a cluster in which no member serves. The member that told it that its store was behind a purge
   * has lost that since: its own disk was put back to before it had joined. That member waits for one that serves, as
   * this one does.
   */
  #waitsForNobody(): boolean {
    const { clock, hasAside, allJoin, random } = this.#options;
    const waits = this.#identity.rejoins === true && hasAside && allJoin();
    if (this.#state.kind !== 'joining' || !waits || !holds('R8 where nobody serves it takes its store up again')) {
      this.#takesBackAtMs = undefined;
      return false;
    }
    const nowMs = clock.monotonicMs();
    this.#takesBackAtMs ??= nowMs + nobodyServesMs * (1 + random.fraction());
    return nowMs >= this.#takesBackAtMs;
  }

  /**
   * The members that must still serve their feed to this origin before it may count; empty once a majority has. A
   * member at whose address another one was admitted since is not waited for: its disk is lost.
   */
  #unheard({ admitted }: RegisteredMember, members: Members): MemberId[] {
    const { self, stability } = this.#options;
    const { by, among = [] } = admitted ?? {};
    const counted = members.registered().filter((member) => member.id !== self.id && !isReplaced(member, members));
    const asked = counted.map(({ id }) => id).filter((id) => among.includes(id));
    const unheard = asked.filter((id) => id !== by && stability.told(id) === undefined);
    const needed = holds('R19 a majority has served who is admitted') ? majorityOf(asked.length) : 0;
    return asked.length - unheard.length >= needed ? [] : unheard;
  }

  #whyJoining(): string {
    const { members } = this.#options.ledger.registry;
    const registered = members.member(this.#options.self.id);
    if (registered === undefined) return 'waiting for an origin of the cluster to admit this one';
    const unheard = this.#unheard(registered, members).map((id) => {
      const { name = id, address } = members.member(id) ?? {};
      return `${name} (${id}, ${address === undefined ? 'no address known: name it with --peer' : `at ${address}`})`;
    });
    const waits = unheard.length === 0 ? '' : `; a majority must let it follow them, not yet: ${unheard.join(', ')}`;
    return `admitted to the cluster, and catching up${waits}`;
  }

  async #begin(): Promise<void> {
    await this.#openLog();
    if (!this.#identity.served) {
      const { rejoins: _rejoins, ...identity } = this.#identity;
      await this.#keep({ ...identity, served: true });
    }
    if (this.#state.kind !== 'joining') return;
    this.#state = { kind: 'serving' };
    this.#named = this.#options.ownLog.opening?.log;
    this.#options.begun();
  }

  /** The first record of the log registers it. The member's own record is written only if it says something new. */
  async #openLog(): Promise<void> {
    const { ledger, ownLog, self } = this.#options;
    const { members } = ledger.registry;
    const [memberKey, homeKey] = [memberKeys.member(self.id), memberKeys.home(registryNamespace)];
    await ledger.submit({
      keys: [memberKey, homeKey].map((key) => ({ namespace: registryNamespace, key })),
      sync: true,
      bytes: 512,
      decide: (view) => {
        const append = ownLog.append(view);
        const known = members.member(self.id);
        const { admitted } = known ?? {};
        const registered: RegisteredMember = { ...self, ...(admitted === undefined ? {} : { admitted }) };
        if (JSON.stringify(known) !== JSON.stringify(registered)) append.registers(() => registered, memberKey);
        const founds = admitted === undefined && members.registryHome() === undefined;
        if (founds) append.registers(() => ({ home: self.id }), homeKey);
        return { ...append.decided(), result: undefined };
      },
    });
  }

  async #keep(identity: OriginIdentity): Promise<void> {
    await keepIdentity(this.#options.ledger, identity);
    this.#identity = identity;
  }
}

/** True if another member was admitted at this one's address after this one was known: its disk is lost. */
function isReplaced({ id, address, admitted }: RegisteredMember, members: Members): boolean {
  const isAfter = (other: RegisteredMember) => {
    const { covered, among = [] } = other.admitted ?? {};
    if (covered === undefined || among.includes(id)) return false;
    return admitted === undefined || coversPosition(new Map(covered), admitted.at);
  };
  return address !== undefined && members.registered().some((other) => other.address === address && isAfter(other));
}
