import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { isMeridianError } from '../model/errors.ts';
import type { LogId } from '../model/position.ts';
import type { ReplicationObserver } from '../replication/observer.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { countBuckets, latencyBuckets } from './buckets.ts';
import { NodeSeries } from './node-series.ts';

/** What a scope is called that follows another origin: this, and its address. */
const peerScope = 'peer ';

/** The feed's two sides, and the commits of a store that serves or takes one. */
export class ReplicationMetrics implements ReplicationObserver {
  readonly #feedLogger: Logger;
  readonly #storeLogger: Logger;
  readonly #mergeLogger: Logger;
  readonly #sent: Counter;
  readonly #sentRecords: Counter;
  readonly #shaped: Counter;
  readonly #scans: Gauge;
  readonly #scansTotal: Counter;
  readonly #scannedRecords: Counter;
  readonly #fellBehind: Counter;
  readonly #resyncs: Counter;
  readonly #received: Counter;
  readonly #receivedRecords: Counter;
  readonly #propagation: Histogram;
  readonly #followsEnded: Counter;
  readonly #conflicts: Counter;
  readonly #commitSeconds: Histogram;
  readonly #commitRecords: Histogram;
  readonly #commitFailures: Counter;
  readonly #expired: Counter;
  readonly #purged: Counter;
  readonly #purgeWaits: Gauge;
  #waited = 0;
  readonly #clockSkew: Gauge;
  readonly #roundTrip: Histogram;
  /** By name, those whose clock is known; by address, those that are followed. */
  readonly #peers: NodeSeries;
  readonly #followed: NodeSeries;

  constructor(registry: Registry, { clock, logger }: { readonly clock: Clock; readonly logger: Logger }) {
    const registers = [registry];
    const counter = (name: string, help: string, ...labelNames: string[]) =>
      new Counter({ name: `meridian_${name}`, help, labelNames, registers });
    const gauge = (name: string, help: string, ...labelNames: string[]) =>
      new Gauge({ name: `meridian_${name}`, help, labelNames, registers });
    const histogram = (name: string, help: string, buckets: number[], ...labelNames: string[]) =>
      new Histogram({ name: `meridian_${name}`, help, buckets, labelNames, registers });
    this.#feedLogger = logger.of('feed');
    this.#storeLogger = logger.of('store');
    this.#mergeLogger = logger.of('merge');
    this.#sent = counter('feed_events_sent_total', 'Feed events that left for followers.', 'kind');
    this.#sentRecords = counter('feed_records_sent_total', 'Records in feed events that left for followers.', 'kind');
    this.#shaped = counter(
      'feed_steps_shaped_total',
      'Commits laid out for one kind of scope; followers of a like scope share them.',
    );
    this.#scans = gauge('feed_scans_running', 'Followers that catch up from the store now.', 'kind');
    this.#scansTotal = counter('feed_scans_total', 'Scans for followers begun.', 'kind');
    this.#scannedRecords = counter('feed_scanned_records_total', 'Records sent by scans that ended.', 'kind');
    this.#fellBehind = counter('feed_fell_behind_total', 'Followers that fell out of the ring into a scan.');
    this.#resyncs = counter('feed_resyncs_sent_total', 'Resyncs sent to followers.', 'reason');
    this.#received = counter('feed_events_received_total', 'Feed events received.', 'scope', 'kind');
    this.#receivedRecords = counter('feed_records_received_total', 'Records in feed events received.', 'scope', 'kind');
    this.#propagation = histogram(
      'propagation_seconds',
      'Commit at the origin to applied here, by two clocks and corrected for nothing.',
      latencyBuckets,
      'scope',
    );
    this.#followsEnded = counter(
      'feed_follows_ended_total',
      'Feed streams that ended, by error code.',
      'scope',
      'code',
    );
    this.#conflicts = counter(
      'conflicts_lost_total',
      'Records, held or offered, that lost against a later stamp of another member.',
    );
    this.#commitSeconds = histogram(
      'commit_seconds',
      'Duration of one commit; a synced one waits for the disk, and that is nearly all of its time.',
      latencyBuckets,
      'synced',
    );
    this.#commitRecords = histogram('commit_records', 'Records of one commit.', countBuckets);
    this.#commitFailures = counter('commit_failures_total', 'Commits that the store did not take.');
    this.#expired = counter('expired_records_total', 'Records whose value was dropped after their expiry.');
    this.#purged = counter('purged_records_total', 'Tombstones purged after their retention.');
    this.#purgeWaits = gauge(
      'tombstones_waiting',
      'Tombstones past their retention that wait for a member that is away.',
    );
    this.#clockSkew = gauge(
      'clock_skew_seconds',
      'Wall clock here less the one of another origin, or of the node that is followed.',
      'peer',
    );
    this.#roundTrip = histogram('probe_round_trip_seconds', 'Probe sent to echo processed.', latencyBuckets, 'scope');
    this.#peers = new NodeSeries({ clock, label: 'peer', names: () => true, metrics: [this.#clockSkew] });
    this.#followed = new NodeSeries({
      ...{ clock, label: 'scope', names: (scope) => scope.startsWith(peerScope) },
      metrics: [this.#received, this.#receivedRecords, this.#propagation, this.#followsEnded, this.#roundTrip],
    });
  }

  /** Before a scrape: series of other nodes that nobody has heard of for a while go. */
  async forgetGone(): Promise<void> {
    await this.#peers.forgetGone();
    await this.#followed.forgetGone();
  }

  eventSent(kind: string, records: number): void {
    this.#sent.inc({ kind });
    if (records > 0) this.#sentRecords.inc({ kind }, records);
  }

  stepShaped(): void {
    this.#shaped.inc();
  }

  scanStarted(kind: 'log' | 'records'): void {
    this.#scans.inc({ kind });
    this.#scansTotal.inc({ kind });
  }

  scanEnded(kind: 'log' | 'records', records: number): void {
    this.#scans.dec({ kind });
    this.#scannedRecords.inc({ kind }, records);
  }

  followerFellBehind(): void {
    this.#fellBehind.inc();
  }

  resyncSent(reason: string): void {
    this.#resyncs.inc({ reason });
  }

  eventReceived(scope: string, kind: string, records: number): void {
    this.#followed.heard(scope);
    this.#received.inc({ scope, kind });
    if (records > 0) this.#receivedRecords.inc({ scope, kind }, records);
  }

  propagated(scope: string, elapsedMs: number): void {
    // Clocks differ: a negative time is one of clocks and not of the network.
    this.#propagation.observe({ scope }, Math.max(0, elapsedMs) / 1000);
  }

  followCaughtUp(scope: string, upstream: string): void {
    this.#feedLogger.log('info', 'a feed has caught up', { scope, upstream });
  }

  followEnded(scope: string, upstream: string, error: unknown): void {
    const code = error === undefined ? 'OK' : isMeridianError(error) ? error.code : 'INTERNAL';
    this.#followed.heard(scope);
    this.#followsEnded.inc({ scope, code });
    const text = error instanceof Error ? error.message : error === undefined ? undefined : String(error);
    this.#feedLogger.log('warn', 'a feed ended', { scope, upstream, code, error: text });
  }

  conflictLost(winner: string, loser: string): void {
    this.#conflicts.inc();
    this.#mergeLogger.log('debug', 'a record lost against a later stamp', { winner, loser });
  }

  committed(records: number, elapsedMs: number, synced: boolean): void {
    this.#commitRecords.observe(records);
    this.#commitSeconds.observe({ synced: String(synced) }, elapsedMs / 1000);
  }

  commitFailed(error: unknown): void {
    this.#commitFailures.inc();
    this.#storeLogger.log('error', 'a commit failed', {
      error: error instanceof Error ? error.message : String(error),
    });
  }

  expired(records: number): void {
    this.#expired.inc(records);
  }

  purged(records: number): void {
    this.#purged.inc(records);
  }

  purgeWaits(records: number): void {
    this.#purgeWaits.set(records);
    if (records > 0 && this.#waited === 0) {
      this.#storeLogger.log('warn', 'deletions wait to be forgotten until every member has heard of them', { records });
    }
    this.#waited = records;
  }

  clockSkew(peer: string, skewMs: number): void {
    if (this.#peers.heard(peer)) this.#clockSkew.set({ peer }, skewMs / 1000);
  }

  echoed(scope: string, _root: LogId, roundTripMs: number): void {
    this.#roundTrip.observe({ scope }, roundTripMs / 1000);
  }
}
