import type { NodeIdentity } from '../model/cluster.ts';
import { cursorOf } from '../model/epoch.ts';
import type { OriginId } from '../model/position.ts';
import { FeedServer } from '../replication/feed-server.ts';
import type { Ledger } from '../replication/ledger.ts';
import { NamespaceRemover } from '../replication/namespace-remover.ts';
import { Sweeper } from '../replication/sweeper.ts';
import { sleep } from '../runtime/clock.ts';
import { Lifecycle } from '../runtime/lifecycle.ts';
import { withEither } from '../runtime/with-either.ts';
import { Admission } from './admission.ts';
import { Adoption } from './adoption.ts';
import { Durability } from './durability.ts';
import type { OriginIdentity } from './founding.ts';
import { Homes } from './homes.ts';
import { Loss } from './loss.ts';
import { NamespaceChanges } from './namespace-changes.ts';
import { NamespaceWriter } from './namespace-writer.ts';
import type { OriginOptions } from './origin-options.ts';
import { OriginReads } from './origin-reads.ts';
import { Peers } from './peers.ts';
import { ResyncMark } from './resync-mark.ts';
import { Retirements } from './retirements.ts';
import { Settlement } from './settlement.ts';
import { Standing } from './standing.ts';
import { Writer } from './writer.ts';

/** Milliseconds between looks for what is to be adopted; a change of the registry is noticed at once. */
const adoptionLookMs = 1000;
const adopting = 'this origin adopts what a removed one left';
const sweeping = 'this origin takes over what it missed while it was away';
/** For how many times as long as a silent peer is waited for, a sweep must have had nobody to go on with. */
const sweepsWaitSilences = 2;
const generationName = 'origin/generation';

/** What an origin is made of, wired together over one ledger. */
export class OriginParts {
  readonly feed: FeedServer;
  readonly reads: OriginReads;
  readonly writer: Writer;
  readonly namespaceChanges: NamespaceChanges;
  readonly homes: Homes;
  readonly peers: Peers;
  readonly admission: Admission;
  readonly durability: Durability;
  readonly standing: Standing;
  readonly retirements: Retirements;
  readonly loss: Loss;
  readonly mark: ResyncMark;
  readonly loops: Lifecycle;
  readonly identity: NodeIdentity;
  readonly #options: OriginOptions;
  readonly #ledger: Ledger;
  readonly #adoption: Adoption;
  #sweeper: Sweeper | undefined;
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
      acknowledged: (node, role, durable, said) => {
        if (role !== 'peer') return;
        this.loss.inspect(new Map([[self, { sequence: said.get(self) ?? 0, epoch: undefined }]]));
        this.durability.acknowledged(node.id as OriginId, durable);
      },
    });
    this.feed.suspend('this origin has not caught up yet');
    this.mark = new ResyncMark(options.clock, (begun) => this.#swept(begun));
    const { role: _role, ...described } = this.identity;
    this.standing = new Standing({
      ...registering,
      identity: stored,
      random,
      describe: () => ({ ...described, id: self }),
      begun: () => this.#serveFeed(),
    });
    const cloned = () => this.loss.rolledBack('another node answers with this origin’s id');
    this.peers = new Peers({
      ...options,
      ...registering,
      self: () => this.identity,
      mark: this.mark,
      nonce,
      clusterId,
      join: (id) => this.standing.join(id),
      cloned,
      adopt: (lost) => this.#adoption.takeLost(lost),
      mayTake: (peer) => {
        this.standing.checkIdentity();
        this.retirements.mayTake(peer);
      },
      inspect: ({ vector, epochs }) => this.loss.inspect(cursorOf(vector, epochs ?? ledger.state.epochs)),
      retired: (final, epoch) => this.loss.retired(final, epoch),
      rolledBack: (why) => this.loss.rolledBack(why),
      remembered: () => stored.peers ?? [],
    });
    this.retirements = new Retirements({ ...registering, peers: this.peers });
    this.#adoption = new Adoption(registering);
    this.loss = new Loss({
      ...options,
      ...registering,
      peers: this.peers,
      standing: this.standing,
      ended: () => this.feed.suspend('this origin lost its id'),
    });
    this.admission = new Admission({ ...registering, nonce, clusterId, cloned });
    this.homes = new Homes({ ledger, self, peers: this.peers });
    this.writer = new Writer({
      ...options,
      ...registering,
      checkAtHome: (namespace) => this.homes.checkAtHome(namespace),
    });
    const { registry } = ledger;
    const { writer, homes, standing, durability } = this;
    this.reads = new OriginReads({ ...options, ledger, self, name, check: () => standing.check() });
    this.namespaceChanges = new NamespaceChanges({
      self,
      registry,
      writer: new NamespaceWriter({ writer, homes, registry, random, self }),
      homes,
      standing,
      reads: this.reads,
      durability,
      level: options.durability,
    });
  }

  async start(): Promise<void> {
    const stored = await this.#ledger.store.meta(generationName);
    this.#generation = stored === undefined ? this.identity.id : Buffer.from(stored).toString();
    await this.retirements.start();
    await this.standing.start();
    const options = { ...this.#options, ledger: this.#ledger };
    const remover = new NamespaceRemover(options);
    this.#sweeper = new Sweeper({
      ...options,
      mayPurge: (head) => remover.mayPurge(head),
    });
    const sweeper = this.#sweeper;
    this.loops.run('sweeper', (signal) => sweeper.run(signal));
    this.loops.run('namespace remover', (signal) => remover.run(signal));
    this.loops.run('peers', (signal) => this.peers.run(signal));
    this.loops.run('adoption', (signal) => this.#adopt(signal));
    this.loops.run('loss', (signal) => this.loss.run(signal));
    this.loops.run('joining', (signal) => this.standing.run(signal));
  }

  /** Deletions that are kept only because some origin has not heard of them (rule R19). */
  get tombstonesWaiting(): number {
    return this.#sweeper?.waiting ?? 0;
  }

  /** Or says why it does not, where this origin answers at all. */
  #serveFeed(): void {
    if (!this.standing.serves) return;
    if (this.mark.active) this.feed.suspend(sweeping, 'feed-sweeping');
    else if (this.#adoption.open().length > 0) this.feed.suspend(adopting);
    else this.feed.resume();
  }

  /** Adopts what retired origins left before anything more is served (rule R23). */
  async #adopt(signal: AbortSignal): Promise<void> {
    const { registry } = this.#ledger;
    let wake = () => {};
    const look = () => {
      if (this.#adoption.open().length > 0) this.#serveFeed();
      if (registry.membership.retirements().length > 0) wake();
    };
    registry.onChange(look, signal);
    look();
    while (!signal.aborted) {
      // Before the look: what changes during it is looked at at once.
      const woken = new AbortController();
      wake = () => woken.abort();
      // Where the disk fails meanwhile, the ledger has told of it and opens it again: what is left is taken up next time.
      const left = await this.#adoption.left().catch(() => []);
      if (left.length > 0 && !this.mark.active) this.feed.suspend(adopting);
      for (const retirement of left) await this.#adoption.adopt(retirement, signal).catch(() => {});
      if (this.#isLeftToItself) this.mark.endAll();
      this.#serveFeed();
      const rest = (until: AbortSignal) => sleep(this.#options.clock, adoptionLookMs, until);
      await withEither([signal, woken.signal], rest).catch(() => {});
    }
  }

  /**
   * True where every other origin was removed, or has yet to catch up with this one for the first time. And where nobody
   * can be followed, and others sweep as well, so that each waits for another: one of them must be the first to serve. What
   * it holds counts, as no registered origin has purged anything that it had yet to hear of (rule R19).
   */
  get #isLeftToItself(): boolean {
    const { id: self } = this.identity;
    const others = this.#ledger.registry.membership.members().filter(({ id }) => id !== self);
    if (!this.standing.serves || others.length === 0) return this.standing.serves;
    if (this.mark.abandonedMs <= sweepsWaitSilences * this.#options.silenceMsMax) return false;
    const waiting = this.peers.sweepers();
    return waiting.length > 0 && !this.peers.followsAny && waiting.every((id) => self < id);
  }

  #swept(begun: boolean): void {
    if (begun) this.#beginGeneration();
    this.#serveFeed();
  }

  #beginGeneration(): void {
    this.#generation = this.#options.random.hex(8);
    const meta = new Map([[generationName, Buffer.from(this.#generation)]]);
    // Before any commit of the sweep, by the order of the queue; where it fails, so does the sweep.
    this.#ledger
      .submit({ keys: [], sync: true, bytes: 0, decide: () => ({ meta, result: undefined }) })
      .catch((error: unknown) => this.#options.observer.commitFailed(error));
  }
}
