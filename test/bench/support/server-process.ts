import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchRun } from './bench-run.ts';
import { until } from './meridian-nodes.ts';

/** A peer's server, and Debian's package that has it. */
export interface Program {
  readonly name: string;
  readonly package: string;
}

const startMsMax = 30_000;

/** False where a program is not installed, which is said. */
export function isInstalled(program: Program): boolean {
  const found = spawnSync(program.name, ['--version']).error === undefined;
  if (!found) console.log(`  MISSING PEER: ${program.name} is not installed (apt-get install ${program.package})`);
  return found;
}

/** A new folder of a peer's own, which goes away with the bench. */
export function folderOf(run: BenchRun, name: string): string {
  const folder = join(run.folder, name);
  mkdirSync(folder);
  return folder;
}

/** Runs a server until the bench ends. Resolves once it answers. */
export async function startServer(
  run: BenchRun,
  program: Program,
  flags: readonly string[],
  answers: () => Promise<boolean>,
): Promise<void> {
  const child = spawn(program.name, flags, { stdio: 'ignore' });
  const orphaned = () => child.kill('SIGKILL');
  process.once('exit', orphaned);
  run.onEnd(() => {
    process.off('exit', orphaned);
    child.kill('SIGKILL');
  });
  await until(answers, `${program.name} answers`, startMsMax);
}
