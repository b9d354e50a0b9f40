import { Gauge, type Registry } from 'prom-client';
import type { NodeStatus, ScopeStatus } from '../model/cluster.ts';

/** Followers that get a series of their own; the rest is counted all the same. */
const followersNamedMax = 100;

/** Gauges that are read off a node's status when it is scraped. What is unknown has no series: it is never 0. */
export class StatusMetrics {
  readonly #gauges: readonly Gauge[];
  readonly #info: Gauge;
  readonly #ready: Gauge;
  readonly #readOnly: Gauge;
  readonly #uptime: Gauge;
  readonly #staleness: Gauge;
  readonly #state: Gauge;
  readonly #covered: Gauge;
  readonly #unsealed: Gauge;
  readonly #records: Gauge;
  readonly #bytes: Gauge;
  readonly #followers: Gauge;
  readonly #behind: Gauge;
  readonly #unacknowledged: Gauge;
  readonly #peerAcknowledged: Gauge;
  readonly #peerUnacknowledged: Gauge;
  readonly #hitRatio: Gauge;
  readonly #damaged: Gauge;
  readonly #uncertain: Gauge;
  readonly #full: Gauge;
  readonly #acceptedLoss: Gauge;
  readonly #clockOffset: Gauge;
  readonly #clockAhead: Gauge;
  readonly #clockSkewMax: Gauge;

  constructor(registry: Registry) {
    const gauge = (name: string, help: string, ...labelNames: string[]) =>
      new Gauge({ name: `meridian_${name}`, help, labelNames, registers: [registry] });
    this.#info = gauge('node_info', 'Always 1: who the node is.', 'name', 'role', 'id', 'region', 'version', 'cluster');
    this.#ready = gauge('ready', '1 where the node can answer reads truthfully.', 'role');
    this.#readOnly = gauge('read_only', '1 where the node takes no writes.', 'role');
    this.#uptime = gauge('uptime_seconds', 'Since the node was opened.', 'role');
    this.#staleness = gauge(
      'staleness_seconds',
      'Proven upper bound on the age of what the scope shows; no series while unknown.',
      'scope',
    );
    this.#state = gauge('scope_state', '1 for the state that the scope is in.', 'scope', 'state');
    this.#covered = gauge(
      'covered_sequence',
      'Covered vector of the scope, by log; logs of the past go once they are sealed.',
      'scope',
      'log',
    );
    this.#unsealed = gauge('log_unsealed', 'Past logs of this member that wait to be sealed.', 'role');
    this.#records = gauge('records', 'Records held, tombstones included.', 'scope');
    this.#bytes = gauge('stored_bytes', 'Bytes held, about.', 'scope');
    this.#followers = gauge(
      'feed_followers',
      'Streams that follow this node; those of the scope `watch` are of clients.',
      'role',
      'scope',
      'state',
    );
    this.#behind = gauge(
      'feed_follower_behind_commits',
      'Commits that a live follower has yet to be sent; of several with one name, that of the one furthest behind.',
      'follower',
      'scope',
    );
    this.#unacknowledged = gauge(
      'feed_follower_unacknowledged',
      'Writes that this node covers and the follower has not said to have on disk; of several with one name, the most.',
      'follower',
      'scope',
    );
    this.#peerAcknowledged = gauge(
      'peer_acknowledged_sequence',
      "The last of this origin's own writes, in its present log, that the peer has said to have on disk.",
      'peer',
    );
    this.#peerUnacknowledged = gauge(
      'peer_unacknowledged',
      "This origin's own writes that the peer has not said to have on disk.",
      'peer',
    );
    this.#hitRatio = gauge('hit_ratio', 'Reads answered from what is held, of all since the node was opened.', 'role');
    this.#damaged = gauge('store_damaged_records', 'Records that are held and cannot be read.', 'role');
    this.#uncertain = gauge(
      'store_absence_uncertain',
      '1 where records may be lost of which nothing is known.',
      'role',
    );
    this.#full = gauge('store_full', '1 where the disk has no room for values.', 'role');
    this.#acceptedLoss = gauge(
      'store_accepted_loss_commits',
      'Acknowledged commits that were given up when the node was started.',
      'role',
    );
    this.#clockOffset = gauge(
      'clock_offset_seconds',
      "Own wall clock less the origin's, by which values expire; edges alone, no series while unknown.",
      'role',
    );
    this.#clockAhead = gauge(
      'clock_ahead_seconds',
      'By how much the clock that values expire by is ahead of the time by which they are dropped for good.',
      'role',
    );
    this.#clockSkewMax = gauge('clock_skew_max_seconds', 'By how much clocks may differ, as configured.', 'role');
    this.#gauges = [
      this.#info,
      this.#ready,
      this.#readOnly,
      this.#uptime,
      this.#staleness,
      this.#state,
      this.#covered,
      this.#unsealed,
      this.#records,
      this.#bytes,
      this.#followers,
      this.#behind,
      this.#unacknowledged,
      this.#peerAcknowledged,
      this.#peerUnacknowledged,
      this.#hitRatio,
      this.#damaged,
      this.#uncertain,
      this.#full,
      this.#acceptedLoss,
      this.#clockOffset,
      this.#clockAhead,
      this.#clockSkewMax,
    ];
  }

  /** Shows this status and nothing of an earlier one; `undefined` = the node could not say. */
  show(status: NodeStatus | undefined): void {
    for (const gauge of this.#gauges) gauge.reset();
    if (status === undefined) return;
    const { name, role, id, region } = status.node;
    this.#info.set({ name, role, id, region, version: status.version, cluster: status.clusterId }, 1);
    this.#ready.set({ role }, status.ready ? 1 : 0);
    this.#readOnly.set({ role }, status.readOnly ? 1 : 0);
    this.#uptime.set({ role }, status.uptimeMs / 1000);
    if (status.hitRate !== undefined) this.#hitRatio.set({ role }, status.hitRate);
    this.#showStorage(status);
    this.#showClock(status);
    if (status.unsealed !== undefined) this.#unsealed.set({ role }, status.unsealed.length);
    for (const scope of status.scopes) this.#showScope(scope);
    for (const { role: followerRole, scope, state } of status.followers) {
      this.#followers.inc({ role: followerRole, scope, state });
    }
    // Clients that watch are many, and share one name.
    const named = status.followers.filter(({ scope }) => scope !== 'watch').slice(0, followersNamedMax);
    for (const [{ name: follower, scope }, commits] of ascending(named, ({ behindCommits }) => behindCommits)) {
      this.#behind.set({ follower, scope }, commits);
    }
    for (const [{ name: follower, scope }, writes] of ascending(named, ({ unacknowledged }) => unacknowledged)) {
      this.#unacknowledged.set({ follower, scope }, writes);
    }
    this.#showPeers(status);
  }

  #showStorage({ node: { role }, storage }: NodeStatus): void {
    if (storage === undefined) return;
    this.#damaged.set({ role }, storage.damagedRecords);
    this.#uncertain.set({ role }, storage.absenceUncertain ? 1 : 0);
    this.#full.set({ role }, storage.full ? 1 : 0);
    this.#acceptedLoss.set({ role }, storage.acceptedLoss);
  }

  #showClock({ node: { role }, clock }: NodeStatus): void {
    if (clock === undefined) return;
    const { skewMaxMs, offsetMs, aheadMs } = clock;
    this.#clockSkewMax.set({ role }, skewMaxMs / 1000);
    if (offsetMs !== undefined) this.#clockOffset.set({ role }, offsetMs / 1000);
    if (aheadMs !== undefined) this.#clockAhead.set({ role }, aheadMs / 1000);
  }

  #showPeers({ log, scopes, peers = [] }: NodeStatus): void {
    const own = (log && scopes[0]?.covered.get(log)) ?? 0;
    for (const [{ name, id }, writes] of ascending(peers, ({ unacknowledged }) => unacknowledged)) {
      const peer = name === '' ? id : name;
      this.#peerUnacknowledged.set({ peer }, writes);
      this.#peerAcknowledged.set({ peer }, own - writes);
    }
  }

  #showScope({ kind: scope, state, boundMs, covered, records, bytes }: ScopeStatus): void {
    this.#state.set({ scope, state }, 1);
    if (boundMs !== undefined) this.#staleness.set({ scope }, boundMs / 1000);
    if (records !== undefined) this.#records.set({ scope }, records);
    if (bytes !== undefined) this.#bytes.set({ scope }, bytes);
    for (const [log, sequence] of covered) this.#covered.set({ scope, log }, sequence);
  }
}

/**
 * Those that tell the figure, with it, the largest last: names are labels of people, and several nodes may have one. The one
 * that is furthest behind is shown then, as it would be if it had a name of its own.
 */
function ascending<T>(all: readonly T[], figure: (one: T) => number | undefined): ReadonlyArray<readonly [T, number]> {
  const told = all.flatMap((one): Array<readonly [T, number]> => {
    const value = figure(one);
    return value === undefined ? [] : [[one, value]];
  });
  return told.sort(([, a], [, b]) => a - b);
}
