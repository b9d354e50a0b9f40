// What a run found, as a page of the docs.
import { scaling } from './asked.mjs';

const code = (text) => `\`${text.replaceAll('|', '\\|')}\``;

function cell(returned) {
  if (returned === undefined || returned.series === 0) return '–';
  return `${returned.series} × ${Number(returned.value.toPrecision(3))}`;
}

function table(rows, phases) {
  const head = ['query', ...phases.map(({ name }) => name)];
  const lines = rows.map(({ title, query, returned }) => {
    return [
      `**${title.replaceAll('|', '\\|')}**<br>${code(query)}`,
      ...phases.map(({ name }) => cell(returned.get(name))),
    ];
  });
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** What the run could not show, and `promtool test rules` alone does. */
function leftOut(phases) {
  const entries = phases.map(({ name, alerts, missing }) => {
    const why = missing === undefined ? 'takes too long for a short run' : `needs ${missing}`;
    return `- **${name}** (${alerts.join(', ')}): ${why}`;
  });
  if (entries.length === 0) return ' Every alert has a phase that brings its fault about.';
  return ` Left out of this run, so that \`promtool test rules\` alone shows these alerts:\n\n${entries.join('\n')}`;
}

/** `asked`: each query with what it returned in each phase of those that were played; `all`: also the others. */
export function report(asked, phases, all) {
  const at = [...new Set(asked.map((each) => each.at))];
  const list = (entries) => entries.map(([name, about]) => `- **${name}**: ${about}`).join('\n');
  const sections = at.map(
    (place) =>
      `## ${place}\n\n${table(
        asked.filter((each) => each.at === place),
        phases,
      )}`,
  );
  return `# What the dashboards and rules return

Written by \`npm run queries\`, which starts eight nodes with traffic over every protocol, and a Prometheus beside them that
has the rules of \`deploy/prometheus/rules.yml\`. Each query was asked again and again in each phase:

${list(phases.map(({ name, about }) => [name, about]))}

A cell is the most series that a query returned in a phase, and the greatest value of them; – is none. A query of a dashboard, or a
recording rule, that returns nothing in any phase fails the run, and so does an alert that asks for a series that is not
there, or does not come true where its fault was brought about.${leftOut(all.filter((phase) => !phases.includes(phase)))}

A run lasts minutes, so ranges of the rules are shorter in it (${scaling}), and each alert waits for 2 s.

${sections.join('\n\n')}
`;
}
