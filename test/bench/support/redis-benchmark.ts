import { spawn, spawnSync } from 'node:child_process';
import type { Address } from '../../../src/config/option.ts';

/** Keys that `redis-benchmark` asks for with `-r` so many. */
export function benchmarkKeys(count: number): readonly string[] {
  return Array.from({ length: count }, (_, n) => `key:${String(n).padStart(12, '0')}`);
}

/** False where redis-benchmark is not installed, which is said. */
export function hasRedisBenchmark(): boolean {
  const found = spawnSync('redis-benchmark', ['--version']).status === 0;
  if (!found) console.log('  SKIPPED: redis-benchmark is not installed (apt-get install redis-tools)');
  return found;
}

/** Gets a second by redis-benchmark: 64 connections, each with so many in a pipeline, of so many keys. */
export async function benchmarkGets(
  { host, port }: Address,
  load: { readonly keys: number; readonly pipelined: number; readonly requests: number },
): Promise<number> {
  const place = ['-h', host, '-p', String(port), '--dbnum', '0'];
  const flags = ['-c', '64', '-P', String(load.pipelined), '-n', String(load.requests), '-r', String(load.keys)];
  const child = spawn('redis-benchmark', [...place, ...flags, '--csv', 'GET', 'key:__rand_int__'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  for await (const chunk of child.stdout) said += chunk;
  const rate = Number(/^"GET [^"]*","([\d.]+)"/m.exec(said)?.[1]);
  if (!(rate > 0)) throw new Error(`redis-benchmark says ${said}`);
  return rate;
}
