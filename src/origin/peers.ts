import type { Call } from '../model/call.ts';
import type { NodeIdentity } from '../model/cluster.ts';
import { MeridianError } from '../model/errors.ts';
import type { Opened, Opening } from '../model/feed.ts';
import type { GetAnswer, GetRequest } from '../model/key-value.ts';
import type { MemberId } from '../model/position.ts';
import { holds } from '../model/rules.ts';
import type { Peer, Upstream } from '../model/upstream.ts';
import { lookAgain, Notice } from '../runtime/notice.ts';
import { FirstFill } from './first-fill.ts';
import { type PeerConnection, PeerLink, type PeerLinkOptions, type PeerView } from './peer-link.ts';
import { clocksDiffer } from './peer-sink.ts';

export interface PeersOptions extends Omit<PeerLinkOptions, 'address' | 'connection' | 'meet' | 'fill'> {
  /** `host:port` of other origins, as configured; more are learnt from the registry and from those that call. */
  readonly peers: readonly string[];
  /** Addresses kept from before this origin began anew. */
  readonly remembered: () => readonly string[];
  readonly connect: (address: string) => PeerConnection;
  /** Hears the cluster of a peer. Throws FAILED_PRECONDITION if this node's data belong to another one. */
  readonly join: (clusterId: string) => Promise<void>;
  /** Another process answers as this member: its disk was copied (rule R16). */
  readonly meetsOwnId: (node: NodeIdentity, opening: Opening | undefined) => void;
}

/** Milliseconds between looks at which peers to follow; a change of the registry is noticed at once. */
const lookIntervalMs = 1000;
/** Addresses that are followed at once, at the most. */
const linksMax = 64;

/**
 * The other origins of the cluster. Each one that is configured, registered with an address, or has called is followed
 * by one link, whichever of the two knew of the other first.
 */
export class Peers {
  readonly #options: PeersOptions;
  readonly #fill: FirstFill;
  readonly #links = new Map<string, PeerLink>();
  /** The addresses that the followers of this origin name as theirs. */
  readonly #called = new Map<MemberId, string>();
  readonly #changed = new Notice();

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#fill = new FirstFill({
      ...options,
      begunInVain: (why) => options.mustLeave('same', why),
      filled: () => {
        for (const link of this.#links.values()) link.hurry();
      },
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { ledger, clock } = this.#options;
    ledger.registry.onChange(() => this.#changed.give(), signal);
    try {
      // The ledger reports a failed disk and opens it again; then the peers to follow are looked at again.
      await lookAgain(this.#changed, () => this.#reconcile(), { clock, restMs: lookIntervalMs, signal });
    } finally {
      await Promise.all([...this.#links.values()].map((link) => link.stop()));
    }
  }

  /** This origin serves, and has opened its log: those that it follows hear of that opening. */
  begun(): void {
    if (!holds('R16 who begins to serve names its opening')) return;
    for (const link of this.#links.values()) link.introduce();
  }

  /** An origin follows this one, and says where it is reached. */
  called({ id, address }: NodeIdentity): void {
    if (address === undefined) return;
    this.#links.get(address)?.hurry();
    if (this.#called.get(id as MemberId) === address) return;
    this.#called.set(id as MemberId, address);
    this.#changed.give();
  }

  /**
   * The peer as an Upstream, while it answers. A peer that has refused to be followed from the first is known by its
   * address alone: another one may be there by now.
   */
  reach(id: MemberId): Peer | undefined {
    const met = [...this.#links.values()].find((link) => link.answering === id);
    if (met !== undefined) return met.upstream;
    const link = this.#links.get(this.#learnt().get(id) ?? '');
    return link?.answers === true && link.answering === undefined ? link.upstream : undefined;
  }

  /** The addresses of the others, by the registry, the configuration and those that call. */
  addresses(): readonly string[] {
    const { id, address: own } = this.#options.self();
    const learnt = [...this.#learnt()].filter(([member]) => member !== id).map(([, address]) => address);
    return [...new Set([...learnt, ...this.#links.keys()])].filter((address) => address !== own);
  }

  /** True once all that each of these members had at this monotonic time is here. */
  heardFromAllSince(members: readonly MemberId[], atMs: number): boolean {
    const links = [...this.#links.values()];
    return members.every((id) => links.some((link) => link.peerId === id && (link.heardAsOfMs(id) ?? -1) >= atMs));
  }

  /** True if each of the others, wherever one was told of, answers that it does not serve yet. */
  get allJoin(): boolean {
    return this.#links.size > 0 && [...this.#links.values()].every((link) => link.joins);
  }

  /** Some peer shows what it holds, and has yet to tell how far that reaches. */
  get areUntold(): boolean {
    return [...this.#links.values()].some(({ isUntold }) => isUntold);
  }

  /** The peers that answer calls now. */
  answering(): readonly Upstream[] {
    return [...this.#links.values()].filter((link) => link.answering !== undefined).map((link) => link.upstream);
  }

  /**
   * Answers of other members, one after another while more are wanted; only of members that may be taken from. Each has
   * its share of the time left: one that waits for the session keeps none of the others from answering.
   */
  async *answers(request: GetRequest, call: Call): AsyncGenerator<GetAnswer> {
    const { clock } = this.#options;
    const asked = [...this.#links.values()].filter((link) => link.answering !== undefined);
    for (const [index, link] of asked.entries()) {
      const id = link.answering;
      if (id === undefined) continue;
      try {
        this.#options.mayTake(id);
        const nowMs = clock.monotonicMs();
        const left = holds('damage: each peer is asked in time') ? asked.length - index : 1;
        const deadlineMs = nowMs + (call.deadlineMs - nowMs) / left;
        yield await link.upstream.get(request, { ...call, deadlineMs });
      } catch {
        // Another peer may know it; a later round asks this one again.
      }
    }
  }

  views(): readonly PeerView[] {
    return [...this.#links.values()].map((link) => link.view());
  }

  async #reconcile(): Promise<void> {
    const wanted = this.#wanted();
    for (const [address, link] of this.#links) {
      if (wanted.has(address)) continue;
      this.#links.delete(address);
      await link.stop();
    }
    for (const address of wanted) {
      if (this.#links.has(address) || this.#links.size >= linksMax) continue;
      // An address that cannot be opened now is tried again at the next look, and does not delay the others.
      await this.#open(address).catch(() => {});
    }
  }

  async #open(address: string): Promise<void> {
    const connection = this.#options.connect(address);
    const meet = (opened: Opened) => this.#meet(address, opened);
    const link = await PeerLink.open({ ...this.#options, fill: this.#fill, address, connection, meet }).catch(
      (error: unknown) => {
        connection.close();
        throw error;
      },
    );
    this.#links.set(address, link);
    link.start();
  }

  /**
   * The address of each origin, as it told this one or the registry. An origin that called from an address where
   * another one answers is not there any more: perhaps a copy of its disk called.
   */
  #learnt(): ReadonlyMap<MemberId, string> {
    const isThere = ([id, address]: readonly [MemberId, string]) => {
      const answering = this.#links.get(address)?.answering;
      return answering === undefined || answering === id;
    };
    return new Map([...this.#registered(), ...[...this.#called].filter(isThere)]);
  }

  /** The address that each registered member named, if it named one. */
  #registered(): ReadonlyArray<readonly [MemberId, string]> {
    const registered = this.#options.ledger.registry.members.registered();
    return registered.flatMap(({ id, address }) => (address === undefined ? [] : [[id, address] as const]));
  }

  /**
   * A member is looked for at its registered address as well as at the one that it called from: perhaps a copy of its
   * disk called, that does not serve yet, and may never.
   */
  #wanted(): ReadonlySet<string> {
    const { ledger, peers, remembered, self } = this.#options;
    const { id: own, address: ownAddress } = self();
    const { members } = ledger.registry;
    const told = [...peers, ...remembered()];
    const wanted = new Set(told);
    // A member that answers at a configured address is not looked for at the address that it names.
    const met = new Set(told.map((address) => this.#links.get(address)?.answering));
    for (const [id, address] of [...this.#registered(), ...this.#learnt()]) {
      const gone = members.isRemoved(id);
      if (id !== own && address !== ownAddress && !met.has(id) && !gone) wanted.add(address);
    }
    return wanted;
  }

  /** The handshake, as the follower judges it. */
  async #meet(address: string, { node, nonce, clusterId, wallMs, opening }: Opened): Promise<void> {
    const { nonce: ownNonce, self, ledger, clock, clockSkewMsMax, join, meetsOwnId } = this.#options;
    if (nonce === ownNonce) throw refused('self', `${address} is this origin itself`);
    if (node.role !== 'origin') throw refused('not-an-origin', `${node.name} at ${address} is an ${node.role}`);
    if (node.id === self().id) {
      meetsOwnId(node, opening);
      throw refused('same-member', `${node.name} at ${address} is this member too: one of the two is a copy`);
    }
    if (ledger.registry.members.isRemoved(node.id as MemberId)) {
      throw refused('peer-removed', `${node.name} at ${address} was removed from the cluster`);
    }
    this.#options.mayTake(node.id as MemberId);
    const other = [...this.#links.values()].find((link) => link.address !== address && link.peerId === node.id);
    if (other !== undefined) throw refused('already-followed', `${node.name} is followed at ${other.address} already`);
    // The peer read its clock before now, so it is ahead for certain by at least this much.
    if (wallMs - clock.wallMs() > clockSkewMsMax && holds('R15 clocks are compared')) {
      throw clocksDiffer(node.name, wallMs - clock.wallMs(), clockSkewMsMax);
    }
    await join(clusterId);
  }
}

function refused(reason: string, message: string): MeridianError {
  return new MeridianError('FAILED_PRECONDITION', message, { reason, retryAfterMs: 1000 });
}
