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

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: { readonly severity?: string };
  readonly annotations?: { readonly runbook_url?: string };
}

const { groups } = parse(readFileSync('deploy/prometheus/rules.yml', 'utf8')) as {
  readonly groups: ReadonlyArray<{ readonly rules: readonly Rule[] }>;
};
const rules = groups.flatMap((group) => group.rules);

const file = 'deploy/grafana/dashboards/meridian.json';
const { panels } = JSON.parse(readFileSync(file, 'utf8')) as { readonly panels: readonly Panel[] };

/** The names of all that nodes measure. */
async function measuredNames(): Promise<ReadonlySet<string | undefined>> {
  const metrics = new NodeMetrics(silentLogger, '.');
  metrics.forEdge();
  metrics.watchExpiries({ certificates: () => new Map(), nextToken: () => undefined });
  const { text } = await metrics.scrape(undefined);
  metrics.stop();
  return new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]));
}

it('alerts ask for nothing that nodes do not measure, or that no rule records', async () => {
  const measured = await measuredNames();
  const asked = rules.flatMap(({ expr }) => expr.match(/\bmeridian_\w+/g) ?? []);
  expect(asked.length).toBeGreaterThan(30);
  expect(asked.filter((name) => !measured.has(name.replace(/_bucket$/, '')))).toEqual([]);
  const recorded = new Set(rules.map(({ record }) => record));
  const derived = rules.flatMap(({ expr }) => expr.match(/\bmeridian:[\w:]+/g) ?? []);
  expect(derived.filter((name) => !recorded.has(name))).toEqual([]);
});

it('each alert has a severity, a page of the runbooks and a test of its own', () => {
  const headings = new Set(readFileSync('docs/runbooks.md', 'utf8').match(/(?<=^## )\w+$/gm));
  const tests = readFileSync('deploy/prometheus/rules.test.yml', 'utf8');
  const alerts = rules.filter(({ alert }) => alert !== undefined);
  expect(alerts.length).toBeGreaterThan(20);
  for (const { alert = '', labels, annotations } of alerts) {
    expect(['warning', 'critical'], alert).toContain(labels?.severity);
    expect(annotations?.runbook_url, alert).toMatch(new RegExp(`/runbooks\\.md#${alert.toLowerCase()}$`));
    expect(headings, alert).toContain(alert);
    expect(tests, alert).toContain(`alertname="${alert}"`);
  }
  expect([...headings].filter((name) => !alerts.some(({ alert }) => alert === name))).toEqual([]);
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
