import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/resolve.ts';
import type { RunningNode } from '../../src/node/running-node.ts';
import { startOrigin } from '../../src/node/start-origin.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';

const outside = { clock: systemClock, random: systemRandom, logger: silentLogger };

let folder: string;
const running: RunningNode[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meridian-origin-'));
});
afterEach(async () => {
  for (const node of running.splice(0)) await node.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(name: string, ...peer: string[]): Promise<RunningNode> {
  const flags = { listen: '127.0.0.1:0', http: '127.0.0.1:0', data: join(folder, name), peer };
  const node = await startOrigin(resolveConfig('origin', { flags, env: {}, file: {} }), outside);
  running.push(node);
  return node;
}

it('an origin whose disk was copied, and opened elsewhere later, is told to end for good', {
  timeout: 60_000,
}, async () => {
  const first = await start('disk');
  await first.stop();
  await cp(join(folder, 'disk'), join(folder, 'copied'), { recursive: true });
  const earlier = await start('disk');
  const later = await start('copied', earlier.grpcAddress);
  await expect.poll(() => earlier.replaced?.aborted, { timeout: 30_000 }).toBe(true);
  expect(String(earlier.replaced?.reason)).not.toBe('');
  expect(later.replaced?.aborted).toBe(false);
});
