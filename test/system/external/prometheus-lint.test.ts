import { spawnSync } from 'node:child_process';
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
});
