import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RuleTakenOut } from './rule-taken-out.ts';
import { ruleGroups, rulesTakenOut } from './rules-taken-out.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
/** One of each group, as they take a process each; `npm run sim -- --rules` takes out all, and looks for seeds too. */
const sample = ruleGroups.flatMap((rules) => rules.filter(({ history }) => history !== undefined).slice(0, 1));

describe('code from which a rule was taken out', { timeout: 240_000 }, () => {
  let built = '';

  beforeAll(() => {
    built = mkdtempSync(join(tmpdir(), 'meridian-ablation-'));
    const { status } = spawnSync(process.execPath, [join(root, 'scripts/build-simulator.mjs'), built], {
      stdio: 'inherit',
    });
    expect(status).toBe(0);
  });

  afterAll(() => rmSync(built, { recursive: true, force: true }));

  const run = ({ name, history = '' }: RuleTakenOut): Promise<{ code: number | null; output: string }> => {
    const rule = ['--without', name, '--history', history];
    const child = spawn(process.execPath, [join(built, 'test/sim/main.js'), ...rule]);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => {
        output += data.toString();
      });
    }
    return new Promise((done) => child.on('exit', (code) => done({ code, output })));
  };

  it.each(rulesTakenOut.map((rule) => [rule.name, rule] as const))('still has the lines of: %s', (_, { edits }) => {
    for (const { file, from } of edits) {
      const source = readFileSync(join(built, 'src', `${file}.js`), 'utf8');
      expect(source.split(from).length - 1, `src/${file}: "${from}"`).toBe(1);
    }
  });

  it.each(sample.map((rule) => [rule.name, rule] as const))('violates a promise: %s', async (_, rule) => {
    const { code, output } = await run(rule);
    expect(code, output).toBe(1);
    expect(output, 'the code ran').not.toContain('Error');
    expect(output).toMatch(rule.expected);
  });
});
