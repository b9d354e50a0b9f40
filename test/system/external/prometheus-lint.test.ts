import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ProcessCluster, placeOf } from '../process-cluster.ts';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPromtool) console.warn("SKIPPED: Prometheus' own check of metrics needs promtool (Debian's prometheus)");

describe.skipIf(!hasPromtool)('what nodes measure', () => {
  const cluster = new ProcessCluster();
  afterAll(() => cluster.close());

  it("passes Prometheus' own checks, at an origin and at an edge", async () => {
    const origin = await cluster.start('origin', 'iad');
    const edge = await cluster.start('edge', 'fra', {
      flags: ['--upstream', placeOf(origin.grpc), '--replicate', '*'],
    });
    for (const { http } of [origin, edge]) {
      const text = await (await fetch(`http://${placeOf(http)}/metrics`)).text();
      const { stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
      const complaints = `${stdout}${stderr}`.split('\n').filter((line) => line.startsWith('meridian_'));
      expect(text).toContain('meridian_event_loop_delay_seconds{statistic="p99"}');
      expect(complaints).toEqual([]);
    }
  });

  it('is what every query of the dashboards can ask for, where an edge is several processes', () => {
    const queries = dashboardQueries();
    const names = new Set(queries.join().match(/\b(meridian|process)_\w+/g));
    const input_series = [...names].flatMap((name) =>
      ['keeper', 'worker-1', 'worker-2'].map((process) => {
        return {
          series: `${name}{instance="n:8100",node="fra",role="edge",process="${process}",le="1"}`,
          values: '0+60x60',
        };
      }),
    );
    const hits = { series: 'meridian_cache_lookups_total{instance="n:8100",result="hit"}', values: '0+60x60' };
    const promql_expr_test = queries.map((expr) => ({ expr, eval_time: '30m', exp_samples: [] }));
    const test = { interval: '1m', input_series: [...input_series, hits], promql_expr_test };
    const folder = mkdtempSync(join(tmpdir(), 'meridian-queries-'));
    const file = join(folder, 'test.json');
    writeFileSync(file, JSON.stringify({ rule_files: [resolve('deploy/prometheus/rules.yml')], tests: [test] }));
    const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    // What each finds is not said here; that it finds something shows that it was asked.
    expect(`${stdout}${stderr}`.match(/got: \{/g)?.length).toBeGreaterThan(40);
    expect(`${stdout}${stderr}`.match(/.*err: .*/g)).toBeNull();
  });
});

function dashboardQueries(): readonly string[] {
  const folder = 'deploy/grafana/dashboards';
  interface Dashboard {
    readonly panels: ReadonlyArray<{ readonly targets: ReadonlyArray<{ readonly expr: string }> }>;
  }
  return readdirSync(folder).flatMap((name) => {
    const { panels } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Dashboard;
    const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    return queries.map((expr) => expr.replaceAll('$node', '.*').replaceAll('$__rate_interval', '5m'));
  });
}
