// `npm run queries`: starts a cluster with traffic and faults and a real Prometheus beside it, evaluates every query of the
// dashboards and every rule in each phase, and writes docs/queries.md: what each returned. One that never returns anything
// fails. `-- --short --report FILE` leaves the longest faults out, and writes elsewhere.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { dashboardQueries, ruleQueries, scaledRules, seriesIn } from './queries/asked.mjs';
import { endAll, folder, startPrometheus } from './queries/processes.mjs';
import { report } from './queries/report.mjs';
import { phases, scrapeConfigs, startCluster, Traffic } from './queries/stage.mjs';

const { values: flags } = parseArgs({ options: { short: { type: 'boolean' }, report: { type: 'string' } } });
const file = flags.report ?? fileURLToPath(new URL('../docs/queries.md', import.meta.url));
const lookMs = 1500;
const roundsMax = 3;

if (spawnSync('prometheus', ['--version']).status !== 0) {
  process.stderr.write('this needs Prometheus (Debian: apt-get install prometheus)\n');
  process.exit(2);
}

/** How many series a query returns, and the greatest value of them. */
async function ask(base, query) {
  const answer = await fetch(`${base}/api/v1/query?query=${encodeURIComponent(query)}`);
  const { status, data, error } = await answer.json();
  if (status !== 'success') throw new Error(`${query}: ${error}`);
  const values = data.result.map(({ value: [, value] }) => Number(value)).filter((value) => !Number.isNaN(value));
  return { series: values.length, value: values.length === 0 ? undefined : Math.max(...values) };
}

/** Keeps, of each query, the most that it returned in this phase. */
async function look(base, asked, phase) {
  for (const each of asked) {
    const { series, value } = await ask(base, each.query);
    const before = each.returned.get(phase);
    if (before === undefined || series > before.series) each.returned.set(phase, { series, value });
  }
}

async function present(base, seen) {
  const answer = await (await fetch(`${base}/api/v1/label/__name__/values`)).json();
  for (const name of answer.data) seen.add(name);
}

const isStaged = ({ inShort, missing }) => (inShort || !flags.short) && missing === undefined;

function wrongWith(asked, seen, staged) {
  const alertsOf = (some) => new Set(some.flatMap(({ alerts }) => alerts));
  const [due, known] = [alertsOf(staged), alertsOf(phases)];
  return asked.flatMap(({ title, at, query, isAlert, returned }) => {
    const isThere = [...returned.values()].some(({ series }) => series > 0);
    if (!isAlert) return isThere ? [] : [`${at}, ${title}: never returned anything: ${query}`];
    const absent = seriesIn(query).filter((name) => !seen.has(name));
    if (!known.has(title)) return [`${title}: no phase brings about what it is for`];
    if (absent.length > 0) return [`${title}: asks for what was never there: ${absent.join(', ')}`];
    return isThere || !due.has(title) ? [] : [`${title} never came true: ${query}`];
  });
}

/** Asks everything again and again while it goes on. */
async function play({ name, about, run }, { cluster, base, asked, seen }) {
  process.stdout.write(`${name}: ${about}\n`);
  let isOver = false;
  const running = run(cluster).finally(() => {
    isOver = true;
  });
  do {
    await look(base, asked, name);
    await Promise.race([running, new Promise((resolve) => setTimeout(resolve, lookMs))]);
  } while (!isOver);
  await running;
  await present(base, seen);
}

async function main() {
  const cluster = await startCluster();
  const config = join(folder, 'prometheus.yml');
  writeFileSync(join(folder, 'rules.yml'), JSON.stringify(scaledRules()));
  const global = { scrape_interval: '1s', evaluation_interval: '1s' };
  const scrapes = { global, rule_files: ['rules.yml'], scrape_configs: scrapeConfigs(cluster) };
  writeFileSync(config, JSON.stringify(scrapes));
  const base = await startPrometheus(config);
  const traffic = new Traffic(cluster);
  const asked = [...dashboardQueries(), ...ruleQueries()].map((each) => ({ ...each, returned: new Map() }));
  const [seen, staged] = [new Set(), phases.filter(isStaged)];
  let wrong = [];
  // A machine that is busy may be too slow for what a phase is about: then all of them come again.
  for (let round = 1; round <= roundsMax; round++) {
    for (const phase of staged) await play(phase, { cluster, base, asked, seen });
    wrong = wrongWith(asked, seen, staged);
    if (wrong.length === 0) break;
    process.stdout.write(`round ${round}: ${wrong.length} queries have yet to return something\n`);
  }
  await traffic.stop();
  writeFileSync(file, report(asked, staged, phases));
  process.stdout.write(`${asked.length} queries, ${wrong.length} wrong; ${file}\n`);
  for (const each of wrong) process.stderr.write(`${each}\n`);
  return wrong.length === 0 ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void endAll().then(() => process.exit(1)));
process.exitCode = await main().finally(endAll);
