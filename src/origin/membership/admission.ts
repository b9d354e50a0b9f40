import type { NodeIdentity } from '../../model/cluster.ts';
import { MeridianError } from '../../model/errors.ts';
import type { ClusterView, FollowOpen, Opening } from '../../model/feed.ts';
import { registryNamespace } from '../../model/namespace.ts';
import { type MemberId, parseMemberId } from '../../model/position.ts';
import type { Ledger } from '../../replication/ledger.ts';
import { memberKeys, type RegisteredMember } from '../../replication/members.ts';
import type { FeedServer } from '../../replication/serving/feed-server.ts';
import type { OwnLog } from '../own-log.ts';
import { lacksPurged } from '../unheard-purges.ts';
import type { Membership } from './membership.ts';
import { clusterView, whoLeaves } from './sides.ts';

export interface AdmissionOptions {
  readonly ledger: Ledger;
  readonly ownLog: OwnLog;
  readonly membership: Pick<Membership, 'check' | 'checkTakes' | 'clusterId' | 'leave' | 'replace'>;
  readonly nonce: string;
  /** Called with a peer that says where it is reached. */
  readonly called: (node: NodeIdentity) => void;
  readonly feed: Pick<FeedServer, 'endStreams'>;
}

/** The reason of a refusal: the follower runs as the member that refuses it, from an earlier opening. It must stop. */
export const openedLater = 'opened-later';

/** The reason of a refusal: the follower's side of the cluster removed members of this side, and this side goes on. */
export const sideGivenUp = 'side-given-up';

/** The handshake with a peer that follows this origin, and the record that admits a new one (rules R8, R16, R19). */
export class Admission {
  readonly #options: AdmissionOptions;
  /** The latest opening in which each member called. */
  readonly #openings = new Map<MemberId, Opening>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /**
   * Makes sure that the peer is registered before it is served anything: from then on nothing is purged that it has not
   * heard of. @throws FAILED_PRECONDITION (no origin, this one itself, a copy of it, removed, another cluster);
   * UNAVAILABLE (it serves nobody)
   */
  async admit({ node, nonce, clusterId, opening, floor, view }: FollowOpen): Promise<void> {
    const { ledger, ownLog, membership } = this.#options;
    const id = parseMemberId(node.id);
    if (node.role !== 'origin' || id === undefined) throw refused('not-an-origin', `${node.name} is no origin`);
    if (nonce === this.#options.nonce) throw refused('self', 'an origin does not follow itself');
    if (id === ownLog.member) {
      this.meetsOwnId(node, opening);
      const isLater = ownLog.opening !== undefined && (opening === undefined || opening.opened < ownLog.opening.opened);
      const message = `${node.name} is this member too: one of the two is a copy`;
      throw isLater
        ? refused(openedLater, `${message}, and this one was opened later`)
        : refused('same-member', message);
    }
    const own = membership.clusterId;
    if (clusterId !== undefined && own !== undefined && clusterId !== own) {
      throw refused('other-cluster', `${node.name} belongs to cluster ${clusterId}, this origin to ${own}`);
    }
    const { members, logs } = ledger.registry;
    this.#judge(id, node, view);
    this.#meets(id, node, opening);
    // If this origin rejoins, it may have forgotten where some of the others are, or that it was ever admitted.
    if (own !== undefined || view?.members.includes(ownLog.member) === true) this.#options.called(node);
    membership.check();
    // Only for a peer that serves: otherwise this origin, which begins anew, would have to wait for that peer.
    if (opening !== undefined && floor !== undefined && lacksPurged(logs, floor, ledger.state)) {
      membership.leave(
        'same',
        `${node.name} has purged what this disk, put back to an older image, has yet to hear of`,
      );
      throw refused('leaving', 'this origin begins anew');
    }
    if (members.member(id) === undefined) await this.#register(id, node);
  }

  /**
   * A removed member leaves; of two sides that removed each other, one does (sides.ts). Both ask the same, whoever
   * calls the other, and a member that leaves judges nobody. @throws FAILED_PRECONDITION; UNAVAILABLE if this origin
   * leaves already
   */
  #judge(id: MemberId, node: NodeIdentity, view: ClusterView | undefined): void {
    const { ledger, ownLog, membership, called } = this.#options;
    membership.checkTakes();
    const own = { id: ownLog.member, view: clusterView(ledger.registry, ownLog.member) };
    const leaver = whoLeaves(own, { id, view: view ?? { members: [id], removals: [] } });
    if (leaver === undefined) return;
    if (leaver.who === 'other') {
      throw leaver.as === 'new'
        ? refused('removed', `${node.name} was removed from the cluster`)
        : refused(sideGivenUp, `${node.name} is of a side of the cluster that is given up for this one`);
    }
    called(node); // Once it has begun anew, this origin looks for the peer there.
    const why = leaver.as === 'new' ? 'it was removed from the cluster' : 'this side of the cluster is given up';
    membership.leave(leaver.as, `${why}, as ${node.name} knows`);
    throw refused('leaving', 'this origin begins anew');
  }

  /** Two openings of another member may run at once: a copied disk, or a stream that outlives its process (rule R16). */
  #meets(id: MemberId, { name }: NodeIdentity, opening: Opening | undefined): void {
    if (opening === undefined) return;
    const latest = this.#openings.get(id);
    if (latest !== undefined && latest.opened > opening.opened) {
      throw refused(
        openedLater,
        `${name} runs elsewhere too, from a later opening of its store: one of the two is a copy`,
      );
    }
    this.#openings.set(id, opening);
    const isEarlier = (open: FollowOpen) =>
      open.role === 'peer' && open.node.id === id && (open.opening?.opened ?? opening.opened) < opening.opened;
    this.#options.feed.endStreams(isEarlier, `${name} has opened its store again`);
  }

  /** Another process runs as this member. The later opening goes on (rule R16); one without an opening never does. */
  meetsOwnId({ name }: NodeIdentity, theirs: Opening | undefined): void {
    const { ownLog, membership } = this.#options;
    const mine = ownLog.opening;
    if (theirs === undefined || (mine !== undefined && theirs.opened <= mine.opened)) return;
    membership.replace(`${name} runs this member too, from a later opening of its store: one of the two is a copy`);
  }

  /** The registered members but the one at this address: a new member there replaces it, since its disk is lost. */
  #others(address: string | undefined): MemberId[] {
    const registered = this.#options.ledger.registry.members.registered();
    const others = registered.filter((member) => address === undefined || member.address !== address);
    return others.map(({ id }) => id);
  }

  async #register(id: MemberId, { name, region, location, address }: NodeIdentity): Promise<void> {
    const { ledger, ownLog } = this.#options;
    const key = memberKeys.member(id);
    await ledger.submit({
      keys: [{ namespace: registryNamespace, key }],
      sync: true,
      bytes: 256,
      decide: (view) => {
        const append = ownLog.append(view);
        const covered = [...ledger.registry.logs.unfold(view.state.covered)];
        append.registers(
          (_stamp, at): RegisteredMember => ({
            id,
            name,
            region,
            ...(location === undefined ? {} : { location }),
            ...(address === undefined ? {} : { address }),
            admitted: { by: ownLog.member, at, covered, among: this.#others(address) },
          }),
          key,
        );
        return { ...append.decided(), result: undefined };
      },
    });
  }
}

function refused(reason: string, message: string): MeridianError {
  return new MeridianError('FAILED_PRECONDITION', message, { reason });
}
