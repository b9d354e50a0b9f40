import type { FollowerStatus, NodeIdentity } from '../model/cluster.ts';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../model/feed.ts';
import { holds } from '../model/rules.ts';
import type { RootClock } from '../replication/clocks/root-clock.ts';
import { FeedServer, type FeedServerOptions } from '../replication/serving/feed-server.ts';
import { followerStatus } from '../replication/serving/follower-status.ts';
import type { Random } from '../runtime/random.ts';
import type { CopyScope } from './copy-scope.ts';

export interface RelayOptions
  extends Pick<
    FeedServerOptions,
    | 'clock'
    | 'observer'
    | 'clusterId'
    | 'clockSkewMsMax'
    | 'nonce'
    | 'scanRecordsMax'
    | 'scanBytesMax'
    | 'scansMax'
    | 'scanStallMs'
    | 'followersMax'
    | 'tracks'
  > {
  readonly random: Random;
  readonly identity: NodeIdentity;
  readonly rootClock: RootClock;
}

const generationName = 'relay/generation';

/**
 * What an edge with a copy is to the edges below it: a server of the feed over the copy's own ledger.
 *
 *     origin ──▶ relay (copies all) ──▶ edge (copies some, caches the rest)
 *     echo: 0 ms        echo: 40 ms            bound: 40 ms + its own round trip
 *
 * Its events carry what the copy covers (rule R5) and its echoes the bound of the copy as it was when the probe came.
 * It serves nobody before the copy has caught up for the first time (rule R17) nor while it resyncs (rule R21): a
 * resync removes records without a trace, so nobody may follow meanwhile, nor go on from a scan that began before.
 */
export class Relay {
  readonly #copy: CopyScope;
  readonly #random: Random;
  readonly #feed: FeedServer;
  #generation: string;

  private constructor(copy: CopyScope, options: RelayOptions, generation: string) {
    this.#copy = copy;
    this.#random = options.random;
    this.#generation = generation;
    this.#feed = new FeedServer({
      ...options,
      ledger: copy.ledger,
      serves: copy.filter,
      generation: () => this.#generation,
      bound: () => copy.bound(),
      rootWallMs: () => (Number.isFinite(options.rootClock.ageMs) ? options.rootClock.nowMs() : undefined),
      rootAgeMs: () => options.rootClock.ageMs,
    });
    if (!copy.hasCaughtUp && holds('R17 a relay serves once it has caught up'))
      this.#feed.suspend('its copy has not caught up yet');
    copy.followers = { voided: () => this.#voided(), caughtUp: () => this.#feed.resume() };
  }

  static async open(copy: CopyScope, options: RelayOptions): Promise<Relay> {
    const stored = await copy.ledger.store.meta(generationName);
    const relay = new Relay(copy, options, stored === undefined ? '' : Buffer.from(stored).toString());
    if (stored === undefined) await relay.#beginGeneration();
    return relay;
  }

  /** @throws FAILED_PRECONDITION if the copy does not hold the scope whole; UNAVAILABLE while it serves nobody */
  follow(
    open: FollowOpen,
    messages: AsyncIterable<FollowerMessage>,
    signal: AbortSignal,
  ): AsyncGenerator<FeedEvent, void, undefined> {
    return this.#feed.follow(open, messages, signal);
  }

  followers(): readonly FollowerStatus[] {
    const { state, registry } = this.#copy.ledger;
    return this.#feed.followers().map((view) => followerStatus(view, state.covered, registry.logs));
  }

  /** The edges that follow this one, each once for each of its scopes. */
  nodes(): readonly NodeIdentity[] {
    return this.#feed.followers().map(({ node }) => node);
  }

  /** Ends every follower's stream; the copy is being closed. */
  close(): void {
    this.#feed.suspend('its scopes are opened anew');
  }

  async #voided(): Promise<void> {
    if (holds('R21 resync is private')) this.#feed.suspend('its copy is taken anew');
    await this.#beginGeneration();
  }

  /** From now on the tokens of earlier scans are void. */
  async #beginGeneration(): Promise<void> {
    this.#generation = this.#random.hex(8);
    const meta = new Map([[generationName, Buffer.from(this.#generation)]]);
    await this.#copy.ledger.submit({ keys: [], sync: true, bytes: 0, decide: () => ({ meta, result: undefined }) });
  }
}
