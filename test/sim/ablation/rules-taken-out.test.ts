import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rulesTakenOut } from './rules-taken-out.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
/** Some, as they take a process each; `npm run sim -- --rules` takes out all, and looks for seeds too. */
const sampleSize = 8;
const scripted = Object.entries(rulesTakenOut).flatMap(([name, { history }]) =>
  history === undefined ? [] : [{ name, history }],
);
const tested = Object.entries(rulesTakenOut).flatMap(([rule, { test }]) =>
  test === undefined ? [] : [{ rule, file: test[0], name: test[1] }],
);
const every = Math.ceil(scripted.length / sampleSize);
const sample = scripted.filter((_, index) => index % every === 0);

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

  const run = (history: string, without?: string): Promise<{ code: number | null; output: string }> => {
    const rule = without === undefined ? [] : ['--without', without];
    const child = spawn(process.execPath, [join(built, 'test/sim/main.js'), ...rule, '--history', history]);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => {
        output += data.toString();
      });
    }
    return new Promise((done) => child.on('exit', (code) => done({ code, output })));
  };

  it.each(sample.map(({ name, history }) => [name, history] as const))(
    'violates a promise: %s',
    async (name, history) => {
      const { code, output } = await run(history, name);
      expect(code, output).toBe(1);
      expect(output, 'the code ran').not.toContain('Error');
      expect(output).toContain(`${history}: `);
      expect((await run(history)).code, 'with all rules').toBe(0);
    },
  );

  it.each(tested)('fails the test that shows it: $rule', async ({ rule, file, name }) => {
    const args = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', '--reporter', 'json', file, '-t', name];
    const outcome = (env: NodeJS.ProcessEnv) => {
      const { stdout } = spawnSync(process.execPath, args, {
        cwd: root,
        encoding: 'utf8',
        env: { ...process.env, ...env },
      });
      const { numPassedTests, numFailedTests } = JSON.parse(stdout) as Record<string, number>;
      return { numPassedTests, numFailedTests };
    };
    expect(outcome({ WITHOUT_RULE: rule })).toEqual({ numPassedTests: 0, numFailedTests: 1 });
    expect(outcome({}), 'with all rules').toEqual({ numPassedTests: 1, numFailedTests: 0 });
  });
});
