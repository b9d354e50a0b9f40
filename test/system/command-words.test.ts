import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { meridianScript } from './process-cluster.ts';

it.runIf(process.platform === 'linux')('refuses a key on the command line that is no UTF-8, as Latin-1 is none', () => {
  // Node hands its own children text alone, so a shell makes the byte.
  const script = `exec "$0" "$1" put flags "$(printf 'caf\\351')" v`;
  const { status, stderr } = spawnSync('sh', ['-c', script, process.execPath, meridianScript], { encoding: 'utf8' });
  expect(stderr).toContain('is no UTF-8: byte 4 is 0xe9');
  expect(status).toBe(2);
});
