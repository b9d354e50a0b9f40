import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { NodeMetrics } from '../../src/metrics/node-metrics.ts';
import { silentLogger } from '../../src/runtime/logger.ts';

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly targets: ReadonlyArray<{ readonly expr: string }>;
}

const file = 'deploy/grafana/dashboards/meridian.json';
const { panels } = JSON.parse(readFileSync(file, 'utf8')) as { readonly panels: readonly Panel[] };

/** The names of all that nodes measure. */
async function measuredNames(): Promise<ReadonlySet<string | undefined>> {
  const metrics = new NodeMetrics(silentLogger, '.');
  metrics.forEdge();
  const { text } = await metrics.scrape(undefined);
  metrics.stop();
  return new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]));
}

it('alerts ask for nothing that nodes do not measure', async () => {
  const measured = await measuredNames();
  const { groups } = parse(readFileSync('deploy/prometheus/rules.yml', 'utf8')) as {
    readonly groups: ReadonlyArray<{ readonly rules: ReadonlyArray<{ readonly expr: string }> }>;
  };
  const asked = groups.flatMap(({ rules }) => rules.flatMap(({ expr }) => expr.match(/\bmeridian_\w+/g) ?? []));
  expect(asked.length).toBeGreaterThan(3);
  expect(asked.filter((name) => !measured.has(name))).toEqual([]);
});

it('the dashboard asks for nothing that nodes do not measure', async () => {
  const measured = await measuredNames();
  const asked = panels.flatMap(({ title, targets }) =>
    targets.flatMap(({ expr }) =>
      [...expr.matchAll(/\b(meridian|process|nodejs)_\w+/g)].map(([name]) => ({ title, name })),
    ),
  );
  expect(asked.length).toBeGreaterThan(20);
  expect(asked.filter(({ name }) => !measured.has(name.replace(/_bucket$/, '')))).toEqual([]);
});

it('the dashboard shows peers, conflicts, clocks, audits, evictions and the disk, each panel under an id of its own', () => {
  const titles = panels.map(({ title }) => title);
  for (const title of ['Peers', 'Conflicts', 'Clock skew', 'Audit', 'Evictions', 'Disk free']) {
    expect(titles).toContain(title);
  }
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
});
