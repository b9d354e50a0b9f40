import { expect, test } from 'vitest';
import { type Option, variableOf } from '../../src/config/option.ts';
import { options } from '../../src/config/options.ts';
import { optionsMarkdown } from '../../src/config/options-markdown.ts';

test('the table names the flag and the variable of every option, one row each', () => {
  const lines = optionsMarkdown().split('\n');
  for (const option of Object.values<Option>(options)) {
    const rows = lines.filter((line) => line.startsWith(`| \`--${option.flag}\` · \`${variableOf(option)}\` |`));
    const alone = lines.filter((line) => line.startsWith(`| \`${variableOf(option)}\` |`));
    const { environmentOnly = [], targets } = option;
    expect(rows, option.flag).toHaveLength(targets.length - environmentOnly.length);
    expect(alone, option.flag).toHaveLength(environmentOnly.length);
  }
});

test('a bar in a cell does not end it', () => {
  const row = optionsMarkdown()
    .split('\n')
    .find((line) => line.includes('--durability'));
  expect(row).toContain('local \\| majority \\| all');
});
