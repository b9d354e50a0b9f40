import type { NodeIdentity } from '../model/cluster.ts';
import { isMeridianError } from '../model/errors.ts';
import type { MemberId } from '../model/position.ts';
import { SettledTime } from '../replication/clocks/settled-time.ts';
import { GarbageCollection } from '../replication/expiry.ts';
import type { Ledger } from '../replication/ledger.ts';
import { Mending } from '../replication/mending.ts';
import { NamespaceRemover } from '../replication/namespace-remover.ts';
import { FeedServer } from '../replication/serving/feed-server.ts';
import { Tracks } from '../replication/serving/tracks.ts';
import { sleep } from '../runtime/clock.ts';
import { Lifecycle } from '../runtime/lifecycle.ts';
import { Durability } from './durability.ts';
import { Homes } from './homes.ts';
import { Admission } from './membership/admission.ts';
import { bringBack, type KeptApart, readKeptApart } from './membership/bring-back.ts';
import type { OriginIdentity } from './membership/identity.ts';
import { Membership } from './membership/membership.ts';
import { Removals } from './membership/removal.ts';
import { Rewrite } from './membership/rewrite.ts';
import { Sealing } from './membership/sealing.ts';
import { NamespaceChanges } from './namespace-changes.ts';
import { NamespaceWriter } from './namespace-writer.ts';
import type { OriginOptions, OriginStores } from './origin-options.ts';
import { OriginReads } from './origin-reads.ts';
import { OwnLog } from './own-log.ts';
import { Peers } from './peers.ts';
import { Stability } from './stability.ts';
import { TokenWriter } from './token-writer.ts';
import { Writer } from './writer.ts';

/** Milliseconds until a bring-back is tried again that a store opened again had interrupted. */
const bringBackRestMs = 1000;

/** What an origin is opened over. */
export interface OpenedOrigin {
  readonly ledger: Ledger;
  readonly identity: OriginIdentity;
  readonly stores: OriginStores;
}

/** What an origin is made of, wired together over one ledger. */
export class OriginParts {
  readonly feed: FeedServer;
  readonly reads: OriginReads;
  readonly writer: Writer;
  readonly namespaceChanges: NamespaceChanges;
  readonly tokens: TokenWriter;
  readonly homes: Homes;
  readonly peers: Peers;
  readonly admission: Admission;
  readonly durability: Durability;
  readonly membership: Membership;
  readonly removals: Removals;
  readonly sealing: Sealing;
  readonly ownLog: OwnLog;
  readonly loops: Lifecycle;
  readonly identity: NodeIdentity;
  /** When values may be dropped for good. */
  readonly settled: SettledTime;
  readonly tracks: Tracks;
  readonly #options: OriginOptions;
  readonly #opened: OpenedOrigin;
  readonly #stability: Stability;
  readonly #rewrite: Rewrite;
  #garbage: GarbageCollection | undefined;
  #keptApart: KeptApart | undefined;

  constructor(options: OriginOptions, opened: OpenedOrigin) {
    const { clock, observer, random, name, region, location, address } = options;
    const { ledger, identity: stored } = opened;
    const { registry } = ledger;
    const self = stored.id;
    const nonce = random.hex(8);
    this.#options = options;
    this.#opened = opened;
    const described = {
      id: self,
      name,
      region,
      ...(location === undefined ? {} : { location }),
      ...(address === undefined ? {} : { address }),
    };
    this.identity = { ...described, role: 'origin' };
    this.ownLog = new OwnLog({ member: self, logs: registry.logs, random, clock });
    const { ownLog } = this;
    registry.logs.self = { member: self, log: () => ownLog.id };
    ledger.onReopened = () => ownLog.begin();
    this.settled = new SettledTime({ ...options, judgedMs: () => clock.wallMs() });
    this.tracks = new Tracks(clock);
    const { tracks } = this;
    const shared = { ledger, ownLog, clock };
    this.loops = new Lifecycle((loop, error) => observer.commitFailed(new Error(`${loop} ended`, { cause: error })));
    this.durability = new Durability({ self, registry, clock });
    this.#stability = new Stability(ledger, self);
    const stability = this.#stability;
    const clusterId = () => this.membership.clusterId;
    const startedMs = clock.monotonicMs();
    // A disk that was put back may know fewer members than there are: this leaves them time to call.
    const heardFromAllSince = (atMs: number) =>
      clock.monotonicMs() - startedMs >= options.silenceMsMax && this.peers.heardFromAllSince(stability.others(), atMs);
    this.feed = new FeedServer({
      ...options,
      ledger,
      identity: this.identity,
      clusterId,
      nonce,
      generation: () => ownLog.id,
      opening: () => ownLog.opening,
      // An origin that may not be alone any more, or whose last commit is in doubt, proves nothing to its followers.
      bound: () =>
        ledger.inDoubt || this.removals.isSealing || options.fenced() !== undefined
          ? undefined
          : { boundMs: 0, root: ownLog.id },
      rootWallMs: () => clock.wallMs(),
      heardFromAllSince,
      tracks,
      acknowledged: (node, role, durable) => {
        if (role === 'peer') this.durability.acknowledged(node.id as MemberId, durable);
      },
    });
    this.feed.suspend('this origin has not caught up yet');
    this.membership = new Membership({
      ...shared,
      stability,
      identity: stored,
      self: described,
      hasAside: this.#opened.stores.aside.length > 0,
      random,
      allJoin: () => this.peers.allJoin,
      addresses: () => this.peers.addresses(),
      begun: () => this.#begun(),
      openedAgain: () => this.peers.begun(),
      ended: (why) => this.feed.suspend(why),
      beginAnew: options.beginAnew,
      replaced: options.replaced,
      fenced: options.fenced,
    });
    const { membership } = this;
    this.admission = new Admission({
      ...shared,
      membership,
      feed: this.feed,
      nonce,
      called: (node) => this.peers.called(node),
    });
    this.sealing = new Sealing({ ...shared, stability, membership });
    this.#rewrite = new Rewrite({ ...shared, sealing: this.sealing, heardFromAllSince });
    this.peers = new Peers({
      ...options,
      ledger,
      tracks,
      stability,
      settled: this.settled,
      self: () => this.identity,
      nonce,
      clusterId,
      opening: () => ownLog.opening,
      floor: () => ledger.state.floor,
      join: (id) => membership.join(id),
      meetsOwnId: (node, opening) => this.admission.meetsOwnId(node, opening),
      mayTake: (peer) => {
        membership.checkTakes();
        this.removals.mayTake(peer);
      },
      // Before it serves, its admitter may be the only one that knows of it: it counts in no majority that others know.
      mayAcknowledge: (peer) => membership.serves && this.removals.mayAcknowledge(peer) && stability.knowsMembers(peer),
      mustLeave: (as, why) => membership.leave(as, why),
      mustStop: (why) => membership.replace(why),
      tookBeyond: () => this.#rewrite.notice(),
      remembered: () => stored.peers ?? [],
    });
    this.removals = new Removals({ ...shared, peers: this.peers });
    this.homes = new Homes({ ledger, self, peers: this.peers, stability });
    const { homes, durability } = this;
    this.writer = new Writer({
      ...shared,
      tracks,
      clockSkewMsMax: options.clockSkewMsMax,
      checkAtHome: (namespace) => homes.checkAtHome(namespace),
    });
    const { writer } = this;
    this.reads = new OriginReads({
      ...options,
      ...shared,
      name,
      heardFromAllSince,
      rewritten: () => this.#rewrite.isDoneNow(),
      check: () => membership.check(),
    });
    this.namespaceChanges = new NamespaceChanges({
      registry,
      writer: new NamespaceWriter({ writer, homes, registry, random, self }),
      homes,
      membership,
      reads: this.reads,
      durability,
      level: options.durability,
    });
    const check = () => membership.check();
    this.tokens = new TokenWriter({ registry, writer, durability, level: options.durability, random, clock, check });
  }

  async start(): Promise<void> {
    const { ledger } = this.#opened;
    this.#keptApart = await readKeptApart(ledger.store);
    await this.removals.start();
    await this.membership.start();
    const options = { ...this.#options, ledger };
    const remover = new NamespaceRemover(options);
    this.#garbage = new GarbageCollection({
      ...options,
      settled: this.settled,
      // A scan that a purge breaks off would begin again each time that a deletion grows old.
      mayPurge: (head) => !this.peers.areUntold && remover.mayPurge(head),
      beforeRound: () => this.#stability.refresh(),
    });
    const garbage = this.#garbage;
    const { peers, settled } = this;
    const mending = new Mending({ ...options, settled, ask: (request, call) => peers.answers(request, call) });
    this.loops.run('mending', (signal) => mending.run(signal));
    this.loops.run('garbage collection', (signal) => garbage.run(signal));
    this.loops.run('namespace remover', (signal) => remover.run(signal));
    this.loops.run('peers', (signal) => this.peers.run(signal));
    this.loops.run('membership', (signal) => this.membership.run(signal));
    this.loops.run('sealing', (signal) => this.sealing.run(signal));
    this.loops.run('rewrite', (signal) => this.#rewrite.run(signal));
  }

  /** Tombstones that are kept only because some member has not heard of them (rule R19). */
  get tombstonesWaiting(): number {
    return this.#garbage?.waiting ?? 0;
  }

  /** What only this origin had when it began anew, and did not write again (rule R8). */
  get keptApart(): KeptApart | undefined {
    return this.#keptApart;
  }

  #begun(): void {
    this.feed.resume();
    this.peers.begun();
    const { stores, ledger } = this.#opened;
    if (stores.aside.length === 0) return;
    this.loops.run('bring back', async (signal) => {
      while (!(await this.#bringsBack(signal))) await sleep(this.#options.clock, bringBackRestMs, signal);
      this.#keptApart = await readKeptApart(ledger.store);
    });
  }
  /**
   * False if it is to be tried again: a store was being opened again, a record must be mended first, or there was no
   * room, with two stores on one disk. @throws DATA_LOSS if all that can be read was brought back
   */
  #bringsBack(signal: AbortSignal): Promise<boolean> {
    const { stores, ledger } = this.#opened;
    return bringBack({ ...this.#options, ledger, stores, ownLog: this.ownLog, signal }).then(
      () => true,
      (error: unknown) => {
        signal.throwIfAborted();
        if (isMeridianError(error, 'DATA_LOSS') && error.details.reason !== 'damaged-record') throw error;
        const waits = isMeridianError(error) && ['UNAVAILABLE', 'RESOURCE_EXHAUSTED', 'DATA_LOSS'].includes(error.code);
        if (!waits) this.#options.observer.commitFailed(new Error('bring back failed', { cause: error }));
        return false;
      },
    );
  }
}
