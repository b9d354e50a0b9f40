// All that is asked of Prometheus: every query of every dashboard, and every rule.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));
const rulesFile = `${deploy}prometheus/rules.yml`;

/** A run lasts minutes where the rules look back over hours: each duration of theirs as it is in a run. */
const scaled = { '5m': '15s', '1h': '3m', '6h': '30s' };
/** Of what Grafana fills in: all nodes, and some scrapes. */
const rateInterval = '20s';

/** Each as `{ at, title, query }`. */
export function dashboardQueries() {
  const folder = `${deploy}grafana/dashboards/`;
  return readdirSync(folder).flatMap((name) => {
    const { title: dashboard, panels } = JSON.parse(readFileSync(`${folder}${name}`, 'utf8'));
    return panels.flatMap(({ title, targets }) =>
      targets.map(({ expr, legendFormat }) => ({
        at: dashboard,
        title: `${title} (${legendFormat})`,
        query: expr.replaceAll('$node', '.*').replaceAll('$__rate_interval', rateInterval),
      })),
    );
  });
}

const scale = (text) =>
  text.replace(/\[(\w+)\]/g, (whole, span) => (scaled[span] === undefined ? whole : `[${scaled[span]}]`));

/** The rules as the run's Prometheus loads them: the same, but for the time that they look back and wait. */
export function scaledRules() {
  const rules = parse(readFileSync(rulesFile, 'utf8'));
  for (const { rules: group } of rules.groups) {
    for (const rule of group) {
      rule.expr = scale(String(rule.expr));
      if (rule.for !== undefined) rule.for = '2s';
    }
  }
  return rules;
}

/** Each as `{ at, title, query, isAlert }`. */
export function ruleQueries() {
  return scaledRules().groups.flatMap(({ name, rules }) =>
    rules.map(({ alert, record, expr }) => ({
      at: name,
      title: alert ?? record,
      query: expr,
      isAlert: alert !== undefined,
    })),
  );
}

/** The series that a query is asked over. */
export function seriesIn(query) {
  return [...new Set(query.match(/\b(?:up\b|meridian[_:][\w:]+)/g) ?? [])];
}

export const scaling = Object.entries(scaled)
  .map(([from, to]) => `${from} → ${to}`)
  .join(', ');
