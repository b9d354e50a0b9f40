import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import { TestAuthority } from '../cli/ca/test-authority.ts';
import { ProcessCluster } from './process-cluster.ts';

const [, words = ''] = /^HEALTHCHECK[^\n]*\\\n {2}CMD (\[.*\])$/m.exec(readFileSync('deploy/Dockerfile', 'utf8')) ?? [];

type Env = Readonly<Record<string, string>>;

/** How the image's own check of health ends, run beside the node with its environment. */
async function checked({ http: { port } }: ChildNode, env: Env): Promise<number> {
  const [command = '', ...args] = (JSON.parse(words) as string[]).map((word) => word.replaceAll('8100', String(port)));
  const check = spawn(command, args, { stdio: 'ignore', env: { ...process.env, ...env } });
  const [code] = (await once(check, 'exit')) as [number];
  return code;
}

describe('the check of health of the image', () => {
  const cluster = new ProcessCluster();
  const path = (name: string) => join(cluster.folder, name);

  beforeAll(() => {
    const authority = new TestAuthority();
    const files = { ...authority.issue('nodes'), ca: authority.ca };
    for (const [name, content] of Object.entries(files)) writeFileSync(path(name), content);
  });
  afterAll(() => cluster.close());

  const own: Env = {
    MERIDIAN_TLS_CERT: path('cert'),
    MERIDIAN_TLS_KEY: path('key'),
    MERIDIAN_TLS_CA: path('ca'),
  };
  it.each([
    ['in the clear', {}],
    ['over TLS', own],
    ['over TLS, where it wants certificates of clients', { ...own, MERIDIAN_TLS_CLIENT_CA: path('ca') }],
  ])('finds a node ready, and one that is not: %s', async (_, env) => {
    const origin = await cluster.start('origin', 'iad', { folder: `iad-${Object.keys(env).length}`, env });
    await expect.poll(() => checked(origin, env), { timeout: 30_000 }).toBe(0);
    const alone = await cluster.start('edge', 'alone', {
      folder: `alone-${Object.keys(env).length}`,
      flags: ['--upstream', '127.0.0.1:1'],
      env,
    });
    expect(await checked(alone, env)).toBe(1);
    await origin.kill();
    expect(await checked(origin, env)).toBe(1);
  });
});
