import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('each row of the conformance table names a test that is there', () => {
  const page = readFileSync('docs/workers-kv.md', 'utf8');
  const table = page.slice(page.indexOf('## Conformance'));
  const rows = table.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| what'));
  expect(rows.length).toBeGreaterThan(30);
  const missing = rows.filter((row) => {
    const [, file, words] = /\| `(test\/[^`]+)`: (.+) \|$/.exec(row) ?? [];
    if (file === undefined || words === undefined || !existsSync(file)) return true;
    return !titlesIn(readFileSync(file, 'utf8')).some((title) => title.includes(words));
  });
  expect(missing).toEqual([]);
});

/** The texts that stand before a function: those of `it`, `describe` and what `each` makes of them. */
function titlesIn(source: string): string[] {
  return [...source.matchAll(/\(\s*'((?:[^'\\\n]|\\.)+)',\s*(?:async )?\(/g)].map(([, title = '']) => title);
}
