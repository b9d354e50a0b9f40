// Puts the option table of the code into the README, between its markers.
import { readFileSync, writeFileSync } from 'node:fs';
import { optionsMarkdown } from '../dist/config/options-markdown.js';

const path = new URL('../README.md', import.meta.url);
const [start, end] = ['<!-- options:start -->', '<!-- options:end -->'];
const readme = readFileSync(path, 'utf8');
const [before, rest] = readme.split(start);
const after = rest?.split(end)[1];
if (after === undefined) throw new Error('the README has lost its markers');
writeFileSync(path, `${before}${start}\n\n${optionsMarkdown().trim()}\n\n${end}${after}`);
