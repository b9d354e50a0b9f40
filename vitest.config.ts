import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

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
          setupFiles: ['test/support/same-properties.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'processes',
          include: ['test/system/**/*.test.ts'],
          exclude: ['test/system/external/**'],
          setupFiles: ['test/support/same-properties.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'external',
          include: ['test/system/external/**/*.test.ts'],
          setupFiles: ['test/support/same-properties.ts'],
          // Made for Workers: it imports from their runtime, beside the part that a test uses.
          server: { deps: { inline: ['@hono-rate-limiter/cloudflare'] } },
          alias: { 'cloudflare:workers': resolve('test/system/external/workers-runtime.mjs') },
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
