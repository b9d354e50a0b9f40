import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NodeMetrics } from '../../src/metrics/node-metrics.ts';
import type { NodeStatus, ScopeStatus } from '../../src/model/cluster.ts';
import { MeridianError } from '../../src/model/errors.ts';
import type { LogId } from '../../src/model/position.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { FakeClock } from '../edge/fake-clock.ts';

const log = '00000000000000aa' as LogId;

const scope: ScopeStatus = {
  kind: 'copy',
  filter: ['*'],
  state: 'live',
  covered: new Map([[log, 41]]),
  floor: new Map(),
  stable: new Map(),
  boundMs: 250,
  records: 12,
};

const status: NodeStatus = {
  node: { name: 'fra', role: 'edge', id: 'e1', region: 'eu' },
  clusterId: 'c1',
  version: '0.1.0',
  ready: true,
  notes: [],
  uptimeMs: 5_000,
  scopes: [scope],
  followers: [],
  readOnly: false,
};

/** The samples of one metric, without its help and type. */
function samplesOf(text: string, name: string): string[] {
  return text.split('\n').filter((line) => new RegExp(`^${name}[{ ]`).test(line));
}

describe('the metrics of a node', () => {
  let metrics: NodeMetrics;
  let clock: FakeClock;
  let outside: ConstructorParameters<typeof NodeMetrics>[0];

  beforeEach(() => {
    clock = new FakeClock();
    outside = { clock, logger: silentLogger };
    metrics = new NodeMetrics(outside);
  });
  afterEach(() => metrics.stop());

  it('show the proven bound in seconds', async () => {
    const { text } = await metrics.scrape(status);
    expect(samplesOf(text, 'meridian_staleness_seconds')).toEqual(['meridian_staleness_seconds{scope="copy"} 0.25']);
  });

  it('have no series for a bound or hit ratio that is unknown, also after one was known', async () => {
    await metrics.scrape({ ...status, hitRate: 0.5 });
    const { boundMs: _, ...unknown } = scope;
    const { text } = await metrics.scrape({ ...status, scopes: [unknown] });
    expect(samplesOf(text, 'meridian_staleness_seconds')).toEqual([]);
    expect(samplesOf(text, 'meridian_hit_ratio')).toEqual([]);
    expect(samplesOf(text, 'meridian_records')).toEqual(['meridian_records{scope="copy"} 12']);
  });

  it('show how far the clock is off, and what is permitted, in seconds; no series of what is unknown', async () => {
    const { text } = await metrics.scrape({ ...status, clock: { skewMaxMs: 500, offsetMs: -3000, aheadMs: 0 } });
    expect(samplesOf(text, 'meridian_clock_offset_seconds')).toEqual(['meridian_clock_offset_seconds{role="edge"} -3']);
    expect(samplesOf(text, 'meridian_clock_skew_max_seconds')).toEqual([
      'meridian_clock_skew_max_seconds{role="edge"} 0.5',
    ]);
    expect(samplesOf(text, 'meridian_clock_ahead_seconds')).toEqual(['meridian_clock_ahead_seconds{role="edge"} 0']);
    const unknown = await metrics.scrape({ ...status, clock: { skewMaxMs: 500 } });
    expect(samplesOf(unknown.text, 'meridian_clock_offset_seconds')).toEqual([]);
    expect(samplesOf(unknown.text, 'meridian_clock_ahead_seconds')).toEqual([]);
  });

  it('show nothing of an earlier status where the node could not say', async () => {
    await metrics.scrape(status);
    const { text } = await metrics.scrape(undefined);
    for (const name of ['meridian_ready', 'meridian_node_info', 'meridian_covered_sequence']) {
      expect(samplesOf(text, name)).toEqual([]);
    }
  });

  it('count followers by role, scope and state', async () => {
    const follower = {
      name: 'a',
      role: 'edge' as const,
      id: '1',
      scope: 'copy',
      state: 'live' as const,
      behindCommits: 3,
    };
    const { text } = await metrics.scrape({ ...status, followers: [follower, { ...follower, name: 'b' }] });
    expect(samplesOf(text, 'meridian_feed_followers')).toEqual([
      'meridian_feed_followers{role="edge",scope="copy",state="live"} 2',
    ]);
    expect(samplesOf(text, 'meridian_feed_follower_behind_commits')).toHaveLength(2);
  });

  it('give no more than a hundred followers a series of their own', async () => {
    const followers = Array.from({ length: 150 }, (_, i) => ({
      name: `f${i}`,
      role: 'edge' as const,
      id: String(i),
      scope: 'copy',
      state: 'live' as const,
      behindCommits: 0,
    }));
    const { text } = await metrics.scrape({ ...status, followers });
    expect(samplesOf(text, 'meridian_feed_follower_behind_commits')).toHaveLength(100);
    expect(samplesOf(text, 'meridian_feed_followers')[0]).toMatch(/ 150$/);
  });

  it('count clients that watch apart, and give none of them a series of its own', async () => {
    const follower = { role: 'edge', state: 'live', behindCommits: 3 } as const;
    const watches = Array.from({ length: 150 }, (_, i) => {
      return { ...follower, name: 'watch', id: `w${i}`, scope: 'watch' };
    });
    const copy = { ...follower, name: 'fra', id: 'e', scope: 'copy' };
    const { text } = await metrics.scrape({ ...status, followers: [...watches, copy] });
    expect(samplesOf(text, 'meridian_feed_followers')).toEqual([
      'meridian_feed_followers{role="edge",scope="watch",state="live"} 150',
      'meridian_feed_followers{role="edge",scope="copy",state="live"} 1',
    ]);
    expect(samplesOf(text, 'meridian_feed_follower_behind_commits')).toEqual([
      'meridian_feed_follower_behind_commits{follower="fra",scope="copy"} 3',
    ]);
  });

  it('count running scans up and down', async () => {
    metrics.replication.scanStarted('log');
    metrics.replication.scanStarted('log');
    metrics.replication.scanEnded('log', 7);
    const { text } = await metrics.scrape(status);
    expect(samplesOf(text, 'meridian_feed_scans_running')).toEqual(['meridian_feed_scans_running{kind="log"} 1']);
    expect(samplesOf(text, 'meridian_feed_scanned_records_total')).toEqual([
      'meridian_feed_scanned_records_total{kind="log"} 7',
    ]);
  });

  it('measure times in seconds, and a propagation that clocks made negative as none', async () => {
    metrics.replication.committed(3, 20, true);
    metrics.replication.propagated('copy', -5);
    const { text } = await metrics.scrape(status);
    expect(samplesOf(text, 'meridian_commit_seconds_sum')).toEqual(['meridian_commit_seconds_sum{synced="true"} 0.02']);
    expect(samplesOf(text, 'meridian_propagation_seconds_sum')).toEqual([
      'meridian_propagation_seconds_sum{scope="copy"} 0',
    ]);
  });

  it('count the ends of feeds by error code, never by message', async () => {
    metrics.replication.followEnded('copy', 'a:1', new MeridianError('UNAVAILABLE', 'gone at 12:01', { reason: 'x' }));
    metrics.replication.followEnded('copy', 'a:1', new Error('odd'));
    const { text } = await metrics.scrape(status);
    expect(samplesOf(text, 'meridian_feed_follows_ended_total')).toEqual([
      'meridian_feed_follows_ended_total{scope="copy",code="UNAVAILABLE"} 1',
      'meridian_feed_follows_ended_total{scope="copy",code="INTERNAL"} 1',
    ]);
  });

  it('stay apart from those of another node in the same process', async () => {
    const other = new NodeMetrics(outside);
    metrics.replication.purged(4);
    const { text } = await other.scrape(status);
    other.stop();
    expect(samplesOf(text, 'meridian_purged_records_total')).toEqual(['meridian_purged_records_total 0']);
  });

  it('have a help text and the prefix on every name of ours', async () => {
    const { text } = await metrics.scrape(status);
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1] ?? '');
    expect(names.filter((name) => !/^(meridian|process|nodejs)_/.test(name))).toEqual([]);
    expect(names.filter((name) => !text.includes(`# HELP ${name} `))).toEqual([]);
  });

  it('leave the labels of summaries and histograms to these, as the checks of Prometheus want it', async () => {
    metrics.forEdge();
    const { text } = await metrics.scrape(status);
    const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)/gm)].map((match) => [match[1], match[2]] as const));
    const typeOf = (name: string) => types.get(name) ?? types.get(name.replace(/_(bucket|sum|count)$/, ''));
    const samples = [...text.matchAll(/^([a-z_]+)\{([^}]*)\}/gm)].map(([, name = '', labels = '']) => ({
      name,
      labels,
    }));
    expect(samples.filter(({ name, labels }) => /\bquantile=/.test(labels) && typeOf(name) !== 'summary')).toEqual([]);
    expect(samples.filter(({ name, labels }) => /\ble=/.test(labels) && typeOf(name) !== 'histogram')).toEqual([]);
    const ours = [...types].filter(([name]) => name?.startsWith('meridian_'));
    expect(ours.filter(([name, type]) => (type === 'counter') !== name?.endsWith('_total'))).toEqual([]);
  });

  it('tell the room on the disk of the data folder, and nothing of a folder that is not there', async () => {
    const [here, nowhere] = [new NodeMetrics(outside, '.'), new NodeMetrics(outside, './nowhere')];
    const texts = [(await here.scrape(status)).text, (await nowhere.scrape(status)).text];
    for (const each of [here, nowhere]) each.stop();
    const [sample] = samplesOf(texts[0] ?? '', 'meridian_disk_free_bytes');
    expect(Number(sample?.split(' ')[1])).toBeGreaterThan(0);
    expect(samplesOf(texts[1] ?? '', 'meridian_disk_free_bytes')).toEqual([]);
  });

  it('tell when certificates and the next token expire, and nothing of what does not', async () => {
    let next: { readonly name: string; readonly expiresMs: number } | undefined = { name: 'ci', expiresMs: 5_500 };
    const certificates = () => new Map([['own', 3_000]]);
    metrics.watchExpiries({ certificates, nextToken: () => next });
    const { text } = await metrics.scrape(status);
    expect(samplesOf(text, 'meridian_certificate_expiry_timestamp_seconds')).toEqual([
      'meridian_certificate_expiry_timestamp_seconds{use="own"} 3',
    ]);
    expect(samplesOf(text, 'meridian_token_expiry_timestamp_seconds')).toEqual([
      'meridian_token_expiry_timestamp_seconds{name="ci"} 5.5',
    ]);
    next = undefined;
    expect(samplesOf((await metrics.scrape(status)).text, 'meridian_token_expiry_timestamp_seconds')).toEqual([]);
  });

  it('show what each peer and follower has yet to acknowledge, and nothing of one that keeps nothing', async () => {
    const follower = { role: 'edge', id: 'f', scope: 'copy', state: 'live' } as const;
    const { text } = await metrics.scrape({
      ...status,
      node: { ...status.node, role: 'origin' },
      log,
      followers: [
        { ...follower, name: 'ber', unacknowledged: 3 },
        { ...follower, name: 'par', scope: 'cache' },
      ],
      peers: [{ name: 'iad', id: 'p', address: 'x:1', state: 'live', unacknowledged: 5 }],
    });
    expect(samplesOf(text, 'meridian_feed_follower_unacknowledged')).toEqual([
      'meridian_feed_follower_unacknowledged{follower="ber",scope="copy"} 3',
    ]);
    expect(samplesOf(text, 'meridian_peer_unacknowledged')).toEqual(['meridian_peer_unacknowledged{peer="iad"} 5']);
    expect(samplesOf(text, 'meridian_peer_acknowledged_sequence')).toEqual([
      'meridian_peer_acknowledged_sequence{peer="iad"} 36',
    ]);
  });

  it('show, of several followers or peers with one name, the one that is furthest behind', async () => {
    const follower = { role: 'edge', name: 'fra', scope: 'copy', state: 'live' } as const;
    const peer = { name: 'iad', address: 'x:1', state: 'live' } as const;
    const { text } = await metrics.scrape({
      ...status,
      log,
      followers: [
        { ...follower, id: '1', behindCommits: 9, unacknowledged: 1 },
        { ...follower, id: '2', behindCommits: 2, unacknowledged: 40 },
        { ...follower, id: '3' },
      ],
      peers: [
        { ...peer, id: 'p', unacknowledged: 5 },
        { ...peer, id: 'q', unacknowledged: 0 },
      ],
    });
    const value = (name: string) => samplesOf(text, name).map((line) => line.split(' ').at(-1));
    expect(value('meridian_feed_follower_behind_commits')).toEqual(['9']);
    expect(value('meridian_feed_follower_unacknowledged')).toEqual(['40']);
    expect(value('meridian_peer_unacknowledged')).toEqual(['5']);
    expect(value('meridian_peer_acknowledged_sequence')).toEqual(['36']);
  });

  it('have no series of a node that was not heard of for five minutes, and those of every other one', async () => {
    const { replication } = metrics;
    const hear = (name: string) => {
      replication.clockSkew(name, 1_000);
      for (const scope of [`peer ${name}:1`, 'copy']) {
        replication.eventReceived(scope, 'changes', 1);
        replication.propagated(scope, 1);
        replication.echoed(scope, log, 1);
        replication.followEnded(scope, name, undefined);
      }
    };
    for (const name of ['gone', 'here']) hear(name);
    for (let minute = 0; minute < 5; minute++) {
      expect((await metrics.scrape(status)).text).toContain('"gone"');
      clock.advance(60_000);
      replication.clockSkew('here', 2_000);
      replication.followEnded('peer here:1', 'here', undefined);
    }
    const { text } = await metrics.scrape(status);
    expect(text).not.toMatch(/[" ]gone[":]/);
    expect(samplesOf(text, 'meridian_clock_skew_seconds')).toEqual(['meridian_clock_skew_seconds{peer="here"} 2']);
    const names = ['feed_events_received_total', 'feed_records_received_total', 'propagation_seconds_count'];
    for (const name of [...names, 'feed_follows_ended_total', 'probe_round_trip_seconds_count']) {
      const scopes = samplesOf(text, `meridian_${name}`).map((line) => /scope="([^"]*)"/.exec(line)?.[1]);
      expect([name, scopes.sort()]).toEqual([name, ['copy', 'peer here:1']]);
    }
    hear('gone');
    const again = samplesOf((await metrics.scrape(status)).text, 'meridian_feed_events_received_total');
    expect(again).toContain('meridian_feed_events_received_total{scope="peer gone:1",kind="changes"} 1');
  });

  it('give no more than a hundred nodes series of their clocks, whatever they call themselves', async () => {
    for (let n = 0; n < 150; n++) metrics.replication.clockSkew(`stranger-${n}`, 1);
    const shown = async () => samplesOf((await metrics.scrape(status)).text, 'meridian_clock_skew_seconds');
    expect(await shown()).toHaveLength(100);
    clock.advance(5 * 60_000);
    expect(await shown()).toEqual([]);
    metrics.replication.clockSkew('iad', 1_000);
    expect(await shown()).toEqual(['meridian_clock_skew_seconds{peer="iad"} 1']);
  });

  it('count the past logs of a member that wait to be sealed, and none of a node that is no member', async () => {
    const waiting = { log: '00000000000000bb' as LogId, waitsFor: ['iad'] };
    const { text } = await metrics.scrape({ ...status, log, unsealed: [waiting] });
    expect(samplesOf(text, 'meridian_log_unsealed')).toEqual(['meridian_log_unsealed{role="edge"} 1']);
    expect(samplesOf((await metrics.scrape(status)).text, 'meridian_log_unsealed')).toEqual([]);
  });

  it('have differences of both outcomes from the start, as nothing increases that begins with its first one', async () => {
    metrics.forEdge();
    const { text } = await metrics.scrape(status);
    expect(samplesOf(text, 'meridian_audit_differences_total').sort()).toEqual(
      ['cache', 'copy'].flatMap((scope) => {
        return ['false', 'true'].map(
          (repaired) => `meridian_audit_differences_total{scope="${scope}",repaired="${repaired}"} 0`,
        );
      }),
    );
  });

  it('tell refused calls by their reason, of which there is a bounded number', async () => {
    metrics.rpc.answered('KV/Get', 'OK', undefined, 2);
    for (let i = 0; i < 300; i++) metrics.rpc.answered('KV/Put', 'INVALID_ARGUMENT', `reason-${i}`, 1);
    const { text } = await metrics.scrape(status);
    const rejected = samplesOf(text, 'meridian_requests_rejected_total');
    expect(rejected.length).toBe(101);
    expect(rejected).toContain('meridian_requests_rejected_total{code="INVALID_ARGUMENT",reason="other"} 200');
    expect(text).toContain('meridian_grpc_request_seconds_count{method="KV/Get",code="OK"} 1');
  });

  it('weigh the feed by direction, and time commits that waited for the disk apart from those that did not', async () => {
    metrics.rpc.feedMessage('sent', 100);
    metrics.rpc.feedMessage('sent', 20);
    metrics.replication.committed(1, 20, true);
    metrics.replication.committed(1, 1, false);
    const { text } = await metrics.scrape(status);
    expect(samplesOf(text, 'meridian_feed_bytes_total')).toEqual(['meridian_feed_bytes_total{direction="sent"} 120']);
    expect(text).toContain('meridian_commit_seconds_sum{synced="true"} 0.02');
    expect(text).toContain('meridian_commit_seconds_sum{synced="false"} 0.001');
  });
});
