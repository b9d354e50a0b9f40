import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../../../src/cli/demo/child-node.ts';
import { ProcessCluster, placeOf } from '../../process-cluster.ts';
import { hasRedis } from './redis-server.ts';

/** A Python that has redis-py: the one that PYTHON names, the first on the path, or Debian's own (python3-redis). */
const python = [process.env['PYTHON'] ?? 'python3', '/usr/bin/python3'].find(
  (candidate) => spawnSync(candidate, ['-c', 'import redis']).status === 0,
);
if (python === undefined) console.warn('SKIPPED: needs python3-redis (or PYTHON=path of a Python that has redis-py)');

const cluster = new ProcessCluster();
let edge: ChildNode;

beforeAll(async () => {
  const origin = await cluster.start('origin', 'iad');
  await cluster.connect(origin).namespaces.create('flags');
  const flags = ['--upstream', placeOf(origin.grpc), '--redis', '127.0.0.1:0', '--redis-database', '0=flags'];
  edge = await cluster.start('edge', 'fra', { flags });
});

afterAll(() => cluster.close());

function port(): string {
  return String(edge.redis?.port);
}

function run(program: string, args: readonly string[], input?: string | Buffer): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 60_000, input });
  expect(status, `${stdout}\n${stderr}`).toBe(0);
  return stdout;
}

describe.runIf(hasRedis)("Redis' own tools", () => {
  it('redis-cli sets, gets and scans, with a namespace in its URL or mapped, in both protocols', () => {
    for (const protocol of [[], ['-3']]) {
      const cli = (...args: string[]) => run('redis-cli', ['-p', port(), ...protocol, ...args]).trim();
      expect(cli('SET', 'cli', 'a value', 'EX', '100')).toBe('OK');
      expect(cli('GET', 'cli')).toBe('a value');
      const url = `redis://flags:x@127.0.0.1:${port()}`;
      expect(run('redis-cli', ['-u', url, '--no-auth-warning', ...protocol, 'GET', 'cli']).trim()).toBe('a value');
      expect(cli('--scan', '--pattern', 'cl*')).toBe('cli');
      expect(cli('NONSENSE')).toMatch(/^ERR unknown command 'NONSENSE'/);
    }
  });

  it('redis-cli --pipe loads many keys', () => {
    const commands = Array.from({ length: 2000 }, (_, n) => `SET pipe:${n} ${n}\r\n`).join('');
    expect(run('redis-cli', ['-p', port(), '--pipe'], commands)).toMatch(/errors: 0, replies: 2000/);
    expect(run('redis-cli', ['-p', port(), 'GET', 'pipe:1999']).trim()).toBe('1999');
  });

  it('redis-benchmark gets an answer to each command, one by one and in pipelines', () => {
    for (const depth of ['1', '16']) {
      const args = ['-p', port(), '-t', 'ping,set,get,mset', '-n', '500', '-c', '20', '-P', depth, '--csv'];
      const stdout = run('redis-benchmark', args);
      for (const test of ['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'MSET']) expect(stdout).toContain(`"${test}`);
      expect(stdout).not.toMatch(/error/i);
    }
  });
});

describe.runIf(python !== undefined)('redis-py', () => {
  it('does what an application does', () => {
    const url = `redis://flags:x@127.0.0.1:${port()}`;
    run(python ?? 'python3', ['test/system/external/redis/redis-client.py', url]);
  });
});
