import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ChildNode } from '../../../src/cli/demo/child-node.ts';
import { systemClock } from '../../../src/runtime/system-clock.ts';
import { freePort } from '../../support/free-port.ts';
import { meridianScript } from '../process-cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-systemd-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const roles = ['origin', 'edge'] as const;
const unitOf = (role: string) => readFileSync(`deploy/systemd/meridian-${role}.service`, 'utf8');

function analyze(...words: readonly string[]): { status: number | null; output: string } | undefined {
  if (spawnSync('systemd-analyze', ['--version']).status !== 0) {
    console.warn("SKIPPED: needs systemd-analyze (Debian's systemd)");
    return undefined;
  }
  const { status, stdout, stderr } = spawnSync('systemd-analyze', words, { encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

describe('the units of systemd', () => {
  it.each(roles)('are read by systemd without a complaint, and expose little: %s', (role) => {
    // The program and the user are the machine's own here.
    const unit = unitOf(role)
      .replace('/usr/bin/meridian', '/usr/bin/true')
      .replaceAll(/^(User|Group)=.*/gm, '$1=root');
    const file = join(folder, `meridian-${role}.service`);
    writeFileSync(file, unit);
    const verified = analyze('verify', file);
    if (verified === undefined) return;
    expect(verified).toEqual({ status: 0, output: '' });
    const path = `deploy/systemd/meridian-${role}.service`;
    const { status, output } = analyze('security', '--offline=yes', '--threshold=20', path) ?? {};
    expect(status, output).toBe(0);
    writeFileSync(file, unit.replace('[Service]', '[Service]\nNoSuchOption=yes'));
    expect(analyze('verify', file)?.output).toContain('NoSuchOption');
  });

  it('start nodes that their files of options configure', async () => {
    const ports = await Promise.all(Array.from({ length: 4 }, () => freePort()));
    const nodes: ChildNode[] = [];
    try {
      for (const role of roles) {
        const words = /^ExecStart=\/usr\/bin\/meridian (\S+) --config (\S+)$/m.exec(unitOf(role));
        expect(words?.slice(1)).toEqual([role, `/etc/meridian/${role}.yaml`]);
        let options = readFileSync(`deploy/systemd/${role}.yaml`, 'utf8').replaceAll('/var/lib/meridian', folder);
        for (const [index, port] of ['7100', '8100', '7200', '8200'].entries()) {
          options = options.replaceAll(`127.0.0.1:${port}`, `127.0.0.1:${ports[index]}`);
        }
        const config = join(folder, `${role}.yaml`);
        writeFileSync(config, options);
        const name = role === 'origin' ? 'iad' : 'fra-edge';
        const logPath = join(folder, `${role}.log`);
        const start = { script: meridianScript, role, name, flags: ['--config', config], logPath, clock: systemClock };
        nodes.push(await ChildNode.start(start));
      }
      const ready = () => fetch(`http://127.0.0.1:${ports[3]}/readyz`).then(({ status }) => status);
      await expect.poll(ready, { timeout: 60_000 }).toBe(200);
    } finally {
      for (const node of nodes) expect(await node.stop()).toBe(0);
    }
  });
});
