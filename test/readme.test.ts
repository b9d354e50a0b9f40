import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { optionsMarkdown } from '../src/config/options-markdown.ts';

describe('the README', () => {
  it('shows the option table as it is in the code', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    const shown = readme.split('<!-- options:start -->')[1]?.split('<!-- options:end -->')[0];
    expect(shown?.trim(), 'npm run readme writes it').toBe(optionsMarkdown().trim());
  });
});
