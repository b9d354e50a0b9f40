import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { variableOf } from '../../src/config/option.ts';
import { options } from '../../src/config/options.ts';
import { optionsMarkdown } from '../../src/config/options-markdown.ts';

const readme = new URL('../../README.md', import.meta.url);
const between = /(<!-- options:start -->\n)[\s\S]*?(<!-- options:end -->)/;

test('the table names the flag and the variable of every option', () => {
  const markdown = optionsMarkdown();
  for (const option of Object.values(options)) {
    expect(markdown).toContain(`\`--${option.flag}\` · \`${variableOf(option)}\``);
  }
});

/** To write them anew: MERIDIAN_UPDATE_README=1 npx vitest run test/config/options-markdown.test.ts */
test.skipIf(!existsSync(readme))('the README has these tables', () => {
  const text = readFileSync(readme, 'utf8');
  const expected = text.replace(
    between,
    (_all, start: string, end: string) => `${start}\n${optionsMarkdown()}\n${end}`,
  );
  if (process.env['MERIDIAN_UPDATE_README'] === '1') writeFileSync(readme, expected);
  expect(text).toMatch(between);
  expect(readFileSync(readme, 'utf8')).toBe(expected);
});
