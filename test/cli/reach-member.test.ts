import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { formatAddress } from '../../src/config/parse-address.ts';
import { commandLine } from './fake-terminal.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-reach-'));
const tokenFile = join(folder, 'token');
writeFileSync(tokenFile, 'secret\n');
afterAll(() => rmSync(folder, { recursive: true }));

const ca = ['--tls-ca', join(folder, 'ca.pem')];
const withToken = { MERIDIAN_TOKEN: 'secret' };

describe.each(['status', 'top --every 200ms'])('a member is asked by meridian %s', (command) => {
  it.each([
    ['where it is of this machine', '127.0.0.1:7100', '127.0.0.1:7200', withToken, []],
    ['where it is of this machine by name', 'localhost:7100', 'localhost:7200', withToken, []],
    ['over TLS by the same authorities', '127.0.0.1:7100', 'far:7200', withToken, ca],
    ['over TLS that the public authorities vouch for', '127.0.0.1:7100', 'far:7200', withToken, ['--tls']],
    ['where there is no token to be seen', '127.0.0.1:7100', 'far:7200', {}, []],
    ['where the token goes over the network in the clear anyway', '10.0.0.1:7100', '10.0.0.2:7100', withToken, []],
  ])('%s', async (_why, endpoint, address, environment, flags) => {
    const asked = await ask(endpoint, address, environment, flags);
    const [own, other] = asked.connections;
    expect(asked.connections.length).toBe(2);
    expect(other).toEqual({ ...own, endpoints: other?.endpoints });
    expect(other?.endpoints.map(formatAddress)).toEqual([address]);
    expect(asked.output).not.toContain('not asked');
  });

  it.each([
    ['far:7200', withToken, []],
    ['10.0.0.2:7200', withToken, []],
    ['[fe80::1]:7200', {}, ['--token-file', tokenFile]],
  ])(
    'and not where the token would leave this machine in the clear, for it says that it is at %s',
    async (address, environment, flags) => {
      const asked = await ask('127.0.0.1:7100', address, environment, flags);
      expect(asked.connections.length).toBe(1);
      expect(asked.exitCode).toBe(0);
      expect(asked.output).toContain('unknown: not asked: the token would leave this machine in the clear');
    },
  );

  async function ask(endpoint: string, address: string, environment: Record<string, string>, flags: readonly string[]) {
    const line = commandLine(environment);
    const other = { name: 'far', role: 'edge', id: 'b'.repeat(16), region: 'test', connected: true } as const;
    line.node.otherMembers = [{ ...other, address }];
    const { output, exitCode } = await line.runWords([...command.split(' '), '--endpoint', endpoint, ...flags]);
    return { output, exitCode, connections: line.connections };
  }
});
