import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TlsCluster } from '../../../access/tls-cluster.ts';

const run = promisify(execFile);
const help = spawnSync('redis-cli', ['--help'], { encoding: 'utf8' });
const speaksTls = `${help.stdout}${help.stderr}`.includes('--cacert');
const adminToken = 'the-administrator-of-the-redis-tests';

describe.skipIf(!speaksTls)('redis-cli over TLS (needs Debian’s redis-tools)', () => {
  const cluster = new TlsCluster();
  let words: readonly string[];

  beforeAll(async () => {
    const flags = { 'admin-token-file': cluster.file('admin', adminToken) };
    const origin = await cluster.start('origin', 'iad', flags);
    const admin = cluster.connect(origin, 'ops', { token: adminToken });
    await admin.namespaces.create('flags');
    const scope = { namespace: 'flags', prefix: 'app/', rights: ['read', 'write'] } as const;
    const { text } = await admin.tokens.create({ name: 'redis-cli', ...scope });
    const { ca, cert, key } = cluster.tlsOf('redis-cli');
    const [host = '', port = ''] = (origin.redisAddress ?? '').split(':');
    words = [
      ...['-h', host, '-p', port, '--tls', '--cacert', cluster.file('its-ca', ca)],
      ...['--cert', cluster.file('its-cert', cert), '--key', cluster.file('its-key', key)],
      ...['--user', 'flags', '--pass', text, '--no-auth-warning'],
    ];
  });

  afterAll(() => cluster.close());

  it('reads and writes by a token, within its scope', async () => {
    expect((await run('redis-cli', [...words, 'SET', 'app/k', 'v'])).stdout).toBe('OK\n');
    expect((await run('redis-cli', [...words, 'GET', 'app/k'])).stdout).toBe('v\n');
    expect((await run('redis-cli', [...words, 'GET', 'other'])).stdout).toContain('NOPERM');
  });

  it('gets nothing without TLS, or with a wrong token', async () => {
    const plain = words.filter((word, at) => !word.startsWith('--c') && !words[at - 1]?.startsWith('--c'));
    const clear = await run('redis-cli', plain.filter((word) => word !== '--tls').concat('GET', 'app/k')).catch(
      (error: { stdout: string }) => error,
    );
    expect(clear.stdout).not.toContain('v');
    const wrong = words.map((word) => (word.startsWith('mdn_') ? 'wrong' : word));
    const refused = await run('redis-cli', [...wrong, 'GET', 'app/k']).catch((error: { stdout: string }) => error);
    expect(refused.stdout).not.toContain('v\n');
  });
});
