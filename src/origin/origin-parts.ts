import type { NodeIdentity } from '../model/cluster.ts';
import { MeridianError } from '../model/errors.ts';
import type { NamespaceId } from '../model/namespace.ts';
import type { OriginId } from '../model/position.ts';
import { FeedServer } from '../replication/feed-server.ts';
import type { Ledger } from '../replication/ledger.ts';
import { NamespaceRemover } from '../replication/namespace-remover.ts';
import { Sweeper } from '../replication/sweeper.ts';
import { Lifecycle } from '../runtime/lifecycle.ts';
import { Admission } from './admission.ts';
import { Durability } from './durability.ts';
import type { OriginIdentity } from './founding.ts';
import { Homes } from './homes.ts';
import { NamespaceWriter } from './namespace-writer.ts';
import type { OriginOptions } from './origin-options.ts';
import { OriginReads } from './origin-reads.ts';
import { Peers } from './peers.ts';
import { ResyncMark } from './resync-mark.ts';
import { Settlement } from './settlement.ts';
import { Standing } from './standing.ts';
import { Writer } from './writer.ts';

const generationName = 'origin/generation';

/** What an origin is made of, wired together over one ledger. */
export class OriginParts {
  readonly feed: FeedServer;
  readonly reads: OriginReads;
  readonly writer: Writer;
  readonly namespaces: NamespaceWriter;
  readonly homes: Homes;
  readonly peers: Peers;
  readonly admission: Admission;
  readonly durability: Durability;
  readonly standing: Standing;
  readonly mark: ResyncMark;
  readonly loops: Lifecycle;
  readonly identity: NodeIdentity;
  readonly #options: OriginOptions;
  readonly #ledger: Ledger;
  /** Changes with each sweep of this store, so that tokens from before it are void (rule R21). */
  #generation = '';

  constructor(options: OriginOptions, ledger: Ledger, stored: OriginIdentity) {
    const { clock, observer, random, name, region, location, address } = options;
    const self = stored.id;
    const nonce = random.hex(8);
    const { membership } = ledger.registry;
    this.#options = options;
    this.#ledger = ledger;
    this.identity = {
      name,
      role: 'origin',
      id: self,
      region,
      ...(location === undefined ? {} : { location }),
      ...(address === undefined ? {} : { address }),
    };
    const settlement = new Settlement(self, membership);
    const registering = { ledger, self, settlement, clock };
    const clusterId = () => this.standing.clusterId;
    this.loops = new Lifecycle((loop, error) => observer.commitFailed(new Error(`${loop} ended`, { cause: error })));
    this.durability = new Durability({ self, membership, clock });
    this.feed = new FeedServer({
      ...options,
      ledger,
      identity: this.identity,
      clusterId,
      nonce,
      self,
      generation: () => this.#generation,
      bound: () => ({ boundMs: 0, root: self }),
      acknowledged: (node, role, durable) => {
        if (role === 'peer') this.durability.acknowledged(node.id as OriginId, durable);
      },
    });
    this.feed.suspend('this origin has not caught up yet');
    this.mark = new ResyncMark((sweeping) => this.#swept(sweeping));
    const { role: _role, ...described } = this.identity;
    this.standing = new Standing({
      ...registering,
      identity: stored,
      random,
      describe: () => ({ ...described, id: self }),
      begun: () => this.#serveFeed(),
    });
    const cloned = () => this.standing.end(rolledBack('another node answers with this origin’s id'));
    this.peers = new Peers({
      ...options,
      ...registering,
      self: () => this.identity,
      mark: this.mark,
      nonce,
      clusterId,
      join: (id) => this.standing.join(id),
      cloned,
      inspect: (peer, { vector }) => this.#inspect(peer, vector.get(self) ?? 0),
    });
    this.admission = new Admission({ ...registering, nonce, clusterId, cloned });
    this.homes = new Homes({ ledger, self, peers: this.peers });
    this.writer = new Writer({
      ...options,
      ...registering,
      checkAtHome: (namespace) => this.homes.checkAtHome(namespace),
    });
    const { registry } = ledger;
    this.namespaces = new NamespaceWriter({ writer: this.writer, homes: this.homes, registry, random, self });
    this.reads = new OriginReads({ ...options, ledger, self, name });
  }

  async start(): Promise<void> {
    const stored = await this.#ledger.store.meta(generationName);
    this.#generation = stored === undefined ? this.identity.id : Buffer.from(stored).toString();
    await this.standing.start();
    const options = { ...this.#options, ledger: this.#ledger };
    const remover = new NamespaceRemover(options);
    const sweeper = new Sweeper({
      ...options,
      mayPurge: ({ key }) => !key.startsWith('namespace/') || remover.hasRemoved(key.slice(10) as NamespaceId),
    });
    this.loops.run('sweeper', (signal) => sweeper.run(signal));
    this.loops.run('namespace remover', (signal) => remover.run(signal));
    this.loops.run('peers', (signal) => this.peers.run(signal));
    this.loops.run('joining', (signal) => this.standing.run(signal));
  }

  #serveFeed(): void {
    if (this.standing.serves && !this.mark.active) this.feed.resume();
  }

  #swept(sweeping: boolean): void {
    if (!sweeping) {
      this.#serveFeed();
      return;
    }
    this.#generation = this.#options.random.hex(8);
    const meta = new Map([[generationName, Buffer.from(this.#generation)]]);
    // Before any commit of the sweep, by the order of the queue; where it fails, so does the sweep.
    this.#ledger
      .submit({ keys: [], sync: true, bytes: 0, decide: () => ({ meta, result: undefined }) })
      .catch((error: unknown) => this.#options.observer.commitFailed(error));
    this.feed.suspend('this origin takes over what it missed while it was away');
  }

  /** A peer that has more of this origin's own log than this origin met another life of its disk (rule R16). */
  #inspect(_peer: OriginId, known: number): void {
    const own = this.#ledger.state.covered.get(this.identity.id as OriginId) ?? 0;
    if (known > own) this.standing.end(rolledBack(`a peer holds ${known} of its writes, this disk ${own}`));
  }
}

function rolledBack(why: string): MeridianError {
  return new MeridianError('UNAVAILABLE', `this origin's disk was rolled back or copied: ${why}`, {
    reason: 'rolled-back',
  });
}
