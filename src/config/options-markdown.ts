import { defaultOf, isFlag, type Option, type Target, variableOf } from './option.ts';
import { optionsOf } from './options.ts';
import { kindName } from './parse-value.ts';

const headings: Readonly<Record<Target, string>> = {
  origin: '`meridian origin`',
  edge: '`meridian edge`',
  client: 'Client commands',
};

/** The configuration tables of the README, from the option table. */
export function optionsMarkdown(): string {
  return (Object.keys(headings) as Target[]).map(section).join('\n');
}

function section(target: Target): string {
  const rows = optionsOf(target).map(([, option]) => row(option, target));
  return [
    `### ${headings[target]}`,
    '',
    '| flag · variable | value | default | what it does |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function row(option: Option, target: Target): string {
  const text = defaultOf(option, target);
  const fallback = option.required ? '(required)' : text === undefined || text === '' ? '(none)' : `\`${text}\``;
  const value = `${kindName(option)}${option.list ? ' …' : ''}`;
  const flag = isFlag(option, target) ? `\`--${option.flag}\` · ` : '';
  const cells = [`${flag}\`${variableOf(option)}\``, value, fallback, option.help];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
