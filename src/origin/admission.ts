import type { NodeIdentity } from '../model/cluster.ts';
import { epochOf } from '../model/epoch.ts';
import { MeridianError } from '../model/errors.ts';
import type { FollowOpen } from '../model/feed.ts';
import { registryNamespace } from '../model/namespace.ts';
import { type OriginId, parseOriginId } from '../model/position.ts';
import { unknownOpening } from '../replication/check-cursor.ts';
import { membershipKeys, type RegisteredOrigin } from '../replication/membership.ts';
import { type Registering, registryPuts } from './founding.ts';

export interface AdmissionOptions extends Registering {
  readonly nonce: string;
  readonly clusterId: () => string | undefined;
  /** Somebody else calls with this origin's id: its disk was copied (rule R16). */
  readonly cloned: () => void;
}

/** The handshake with a peer that follows this origin, and the record that lets a new one in (rules R16, R19). */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /**
   * Sees to it that the peer is registered before it is served anything, so that from here on nothing is purged that it
   * has yet to hear of. @throws FAILED_PRECONDITION (no origin, this one itself, a copy of it, removed, another cluster)
   */
  async admit({
    node,
    nonce,
    clusterId,
    start,
  }: Omit<FollowOpen, 'protocol' | 'role' | 'filter' | 'values'>): Promise<void> {
    const { ledger, self, cloned } = this.#options;
    const id = parseOriginId(node.id);
    if (node.role !== 'origin' || id === undefined) throw refused('not-an-origin', `${node.name} is no origin`);
    if (nonce === this.#options.nonce) throw refused('self', 'an origin does not follow itself');
    if (id === self) {
      cloned();
      throw refused('same-origin', `${node.name} has this origin's id: one of them is a copy`);
    }
    const own = this.#options.clusterId();
    if (clusterId !== undefined && clusterId !== own) {
      throw refused('other-cluster', `${node.name} belongs to cluster ${clusterId}, this origin to ${own}`);
    }
    const { membership } = ledger.registry;
    const left = membership.retirement(id);
    if (left !== undefined) {
      const { final } = left;
      const epoch = epochOf(ledger.state.epochs.get(id), final);
      throw new MeridianError('FAILED_PRECONDITION', `${node.name} was removed from the cluster`, {
        reason: 'retired',
        limit: final,
        // From which opening that sequence is known here: another life of the disk may have more to save than it thinks.
        ...(epoch === undefined ? {} : { seen: epoch }),
      });
    }
    const torn = start.kind === 'cursor' ? unknownOpening(start.cursor, ledger.state, membership) : undefined;
    if (torn === id) throw refused('rolled-back', `${node.name} shows another life of its disk than is known here`);
    if (torn !== undefined) throw refused('unknown-epoch', `two lives of the disk of origin ${torn} are known`);
    if (membership.origin(id) === undefined) await this.#register(id, node);
  }

  /** Who is registered, without whom a new one at this address takes the place of: that one's disk is lost. */
  #others(address: string | undefined): OriginId[] {
    const registered = this.#options.ledger.registry.membership.registered();
    const others = registered.filter((origin) => address === undefined || origin.address !== address);
    return others.map(({ id }) => id);
  }

  async #register(id: OriginId, { name, region, location, address }: NodeIdentity): Promise<void> {
    const key = membershipKeys.origin(id);
    await this.#options.ledger.submit({
      keys: [{ namespace: registryNamespace, key }],
      sync: true,
      bytes: 256,
      decide: (view) => {
        const { self } = this.#options;
        const { covered } = view.state;
        const registered: RegisteredOrigin = {
          id,
          name,
          region,
          ...(location === undefined ? {} : { location }),
          ...(address === undefined ? {} : { address }),
          admitted: {
            by: self,
            sequence: (covered.get(self) ?? 0) + 1,
            covered: [...covered],
            among: this.#others(address),
          },
          epochs: [],
        };
        return { ...registryPuts(this.#options, [[key, registered]], view), result: undefined };
      },
    });
  }
}

function refused(reason: string, message: string): MeridianError {
  return new MeridianError('FAILED_PRECONDITION', message, { reason });
}
