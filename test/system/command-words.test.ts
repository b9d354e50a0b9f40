import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { meridianScript } from './process-cluster.ts';

it('completes without a node, and says nothing where it needs one and none answers', () => {
  const run = (...words: string[]) => {
    const env = { ...process.env, MERIDIAN_ENDPOINT: '127.0.0.1:1' };
    return spawnSync(process.execPath, [meridianScript, ...words], { encoding: 'utf8', env, timeout: 60_000 });
  };
  expect(run('complete', '--', 'namespace', 'cr')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^create\t/),
  });
  expect(run('complete', '--', 'get', 'fl')).toMatchObject({ status: 0, stdout: '', stderr: '' });
  expect(run('completion', 'bash').stdout).toContain('complete -F _meridian meridian');
});

it.runIf(process.platform === 'linux')('refuses a key on the command line that is no UTF-8, as Latin-1 is none', () => {
  // Node hands its own children text alone, so a shell makes the byte.
  const script = `exec "$0" "$1" put flags "$(printf 'caf\\351')" v`;
  const { status, stderr } = spawnSync('sh', ['-c', script, process.execPath, meridianScript], { encoding: 'utf8' });
  expect(stderr).toContain('is no UTF-8: byte 4 is 0xe9');
  expect(status).toBe(2);
});

it.runIf(process.platform === 'linux')(
  'says why its output cannot be written, and is silent where nobody reads on',
  () => {
    const run = (into: string) => {
      const script = `"$0" "$1" options ${into}`;
      return spawnSync('sh', ['-c', script, process.execPath, meridianScript], { encoding: 'utf8', timeout: 60_000 });
    };
    const full = run('> /dev/full');
    expect([full.status, full.stderr]).toEqual([
      1,
      expect.stringContaining('RESOURCE_EXHAUSTED: standard output cannot be written: ENOSPC'),
    ]);
    expect(run('| true')).toMatchObject({ status: 0, stderr: '' });
  },
);

it.runIf(process.platform === 'linux')('gives back what it holds where nobody reads on, or its output is full', () => {
  const dist = join(dirname(meridianScript), '..');
  const command = `
    import { processTerminal } from '${join(dist, 'cli/process-terminal.js')}';
    import { systemClock } from '${join(dist, 'runtime/system-clock.js')}';
    const terminal = processTerminal(systemClock);
    try {
      for (;;) await terminal.write('a line\\n'.repeat(10_000));
    } catch (error) {
      process.exitCode = terminal.stopped.reason === error ? 130 : 99;
    } finally {
      process.stderr.write('given back, ');
    }`;
  const run = (into: string) => {
    const script = `("$0" --input-type=module -e "$1"; echo "code $?" >&2) ${into}`;
    return spawnSync('sh', ['-c', script, process.execPath, command], { encoding: 'utf8', timeout: 60_000 }).stderr;
  };
  expect(run('| head -1')).toBe('given back, code 0\n');
  expect(run('> /dev/full')).toMatch(/ENOSPC.*\ngiven back, code 1\n$/);
});
