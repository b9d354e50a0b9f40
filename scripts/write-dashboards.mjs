// `npm run dashboards`: lays out deploy/grafana/dashboards.mjs as the files that Grafana reads. With `--check` it writes
// nothing, and fails where a file is not as it would be written.
import { readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dashboards } from '../deploy/grafana/dashboards.mjs';

const folder = fileURLToPath(new URL('../deploy/grafana/dashboards/', import.meta.url));
const datasource = { type: 'prometheus', uid: 'prometheus' };
const [columns, width, height] = [3, 8, 8];
const stats = new Set(['Ready']);

const ready = [
  { type: 'value', options: { 0: { text: 'not ready', color: 'red' }, 1: { text: 'ready', color: 'green' } } },
];

function panel([title, unit, description, ...queries], index) {
  const isStat = stats.has(title);
  return {
    id: index + 1,
    title,
    description,
    type: isStat ? 'stat' : 'timeseries',
    datasource,
    gridPos: { x: (index % columns) * width, y: Math.floor(index / columns) * height, w: width, h: height },
    fieldConfig: {
      defaults: isStat ? { unit: 'none', mappings: ready } : { unit, min: unit === 's' ? undefined : 0 },
      overrides: [],
    },
    options: isStat
      ? { reduceOptions: { calcs: ['lastNotNull'] }, textMode: 'value_and_name', colorMode: 'background' }
      : {
          legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
          tooltip: { mode: 'multi', sort: 'desc' },
        },
    targets: Array.from({ length: queries.length / 2 }, (_, query) => ({
      refId: String.fromCharCode(65 + query),
      datasource,
      expr: queries[2 * query],
      legendFormat: queries[2 * query + 1],
    })),
  };
}

const nodes = 'label_values(meridian_ready, node)';
const chosenNodes = {
  ...{
    name: 'node',
    label: 'Node',
    type: 'query',
    datasource,
    query: { query: nodes, refId: 'node' },
    definition: nodes,
  },
  ...{ refresh: 2, includeAll: true, multi: true, allValue: '.*', current: { text: 'All', value: '$__all' } },
};

function dashboard({ uid, title, about, panels }) {
  return {
    ...{ uid, title, description: about, tags: ['meridian'], timezone: 'browser', schemaVersion: 41, version: 1 },
    ...{ refresh: '5s', time: { from: 'now-15m', to: 'now' }, editable: true },
    links: [
      {
        title: 'Meridian',
        type: 'dashboards',
        tags: ['meridian'],
        asDropdown: false,
        keepTime: true,
        includeVars: true,
      },
    ],
    templating: { list: [chosenNodes] },
    annotations: { list: [] },
    panels: panels.map(panel),
  };
}

const files = new Map(dashboards.map((each) => [`${each.uid}.json`, `${JSON.stringify(dashboard(each), null, 2)}\n`]));
const there = readdirSync(folder);
if (process.argv.includes('--check')) {
  const wrong = [...files].flatMap(([name, text]) =>
    there.includes(name) && readFileSync(`${folder}${name}`, 'utf8') === text ? [] : [name],
  );
  wrong.push(...there.filter((name) => !files.has(name)));
  if (wrong.length > 0) {
    process.stderr.write(`npm run dashboards writes these otherwise: ${wrong.join(', ')}\n`);
    process.exitCode = 1;
  }
} else {
  for (const name of there) if (!files.has(name)) unlinkSync(`${folder}${name}`);
  for (const [name, text] of files) writeFileSync(`${folder}${name}`, text);
}
