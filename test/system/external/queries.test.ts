import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0;
if (!hasPrometheus) console.warn("SKIPPED: the dashboards' queries need Prometheus (Debian's prometheus)");

it.skipIf(!hasPrometheus)(
  'each query of the dashboards and each recording rule returns something, where there is traffic and some faults',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'meridian-report-'));
    const report = join(folder, 'queries.md');
    const words = ['scripts/check-queries.mjs', '--short', '--report', report];
    const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
    const wrong = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('token '));
    expect([status, wrong]).toEqual([0, []]);
    expect(readFileSync(report, 'utf8')).toContain('**MeridianDown**');
    rmSync(folder, { recursive: true });
  },
  600_000,
);
