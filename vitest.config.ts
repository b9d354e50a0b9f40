import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

const setupFiles = ['test/support/same-properties.ts'];
/** Code from which a rule was taken out, for the tests that show that it is missed (test/sim/ablation). */
const ruleTakenOut = process.env['WITHOUT_RULE'] === undefined ? [] : ['test/sim/ablation/rule-taken-out.ts'];

/** What a test waits for: no test is about how soon it comes, and a machine may be busy with others. */
const expectations = { poll: { timeout: 30_000 } };

/**
 * Three projects. `unit` opens no process; `processes` starts nodes of its own from dist; `external` needs a program
 * besides Node (Python, libfaketime, a mount), says so where it is missing, and is not part of `npm test`.
 */
export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/system/**'],
          setupFiles: [...setupFiles, ...ruleTakenOut],
          expect: expectations,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'processes',
          include: ['test/system/**/*.test.ts'],
          exclude: ['test/system/external/**'],
          setupFiles,
          fileParallelism: false,
          expect: expectations,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'external',
          include: ['test/system/external/**/*.test.ts'],
          setupFiles,
          // Made for Workers: it imports from their runtime, beside the part that a test uses.
          server: { deps: { inline: ['@hono-rate-limiter/cloudflare'] } },
          alias: { 'cloudflare:workers': resolve('test/system/external/workers-runtime.mjs') },
          fileParallelism: false,
          expect: expectations,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
