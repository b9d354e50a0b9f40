import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { NodeMetrics } from '../../src/metrics/node-metrics.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';

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

const folder = 'deploy/grafana/dashboards';
const dashboards = readdirSync(folder).map((name) => {
  return JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) as {
    readonly uid: string;
    readonly title: string;
    readonly panels: readonly Panel[];
  };
});
const panels = dashboards.flatMap((dashboard) => dashboard.panels);

/** The names of all that nodes measure. */
async function measuredNames(): Promise<ReadonlySet<string | undefined>> {
  const metrics = new NodeMetrics({ clock: systemClock, logger: silentLogger }, '.');
  metrics.forEdge();
  metrics.forResp();
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

it('dashboards ask for nothing that nodes do not measure', async () => {
  const measured = await measuredNames();
  const asked = panels.flatMap(({ title, targets }) =>
    targets.flatMap(({ expr }) =>
      [...expr.matchAll(/\b(meridian|process|nodejs)_\w+/g)].map(([name]) => ({ title, name })),
    ),
  );
  expect(asked.length).toBeGreaterThan(60);
  expect(asked.filter(({ name }) => !measured.has(name.replace(/_(bucket|count)$/, '')))).toEqual([]);
});

it('rules and dashboards count a call once, where an edge is a keeper and workers', () => {
  const counted = /meridian_(reads_total|writes_total|read_seconds|cache_lookups_total|grpc_request_seconds)/;
  const exprs = [...rules.map(({ expr }) => expr), ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))];
  const selectors = exprs.flatMap((expr) => expr.match(/\bmeridian_\w+(\{[^}]*\})?/g) ?? []);
  const asked = selectors.filter((selector) => counted.test(selector));
  expect(asked.length).toBeGreaterThan(15);
  // Those of origins, which are one process.
  const whole = asked.filter((selector) => !selector.includes('role="origin"'));
  expect(whole.filter((selector) => !selector.includes('process!="keeper"'))).toEqual([]);
});

it('there is a dashboard of the cluster, of edges, origins, the feed and what callers ask by', () => {
  expect(dashboards.map(({ uid }) => uid).sort()).toEqual([
    ...['meridian', 'meridian-edge', 'meridian-feed', 'meridian-http', 'meridian-origin'],
  ]);
  for (const { title, panels: own } of dashboards) {
    expect(new Set(own.map(({ id }) => id)).size, title).toBe(own.length);
    expect(new Set(own.map((panel) => panel.title)).size, title).toBe(own.length);
  }
});

it('dashboards are as their one source lays them out', () => {
  const { stderr, status } = spawnSync(process.execPath, ['scripts/write-dashboards.mjs', '--check'], {
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
});
