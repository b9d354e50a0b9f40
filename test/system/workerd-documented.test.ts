import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runWorker } from '../../deploy/examples/run-worker.mjs';
import { emptySession } from '../../src/model/session.ts';
import { type ServedOrigin, serveOrigin } from '../http/workers/served-origin.ts';
import { aCall } from '../rpc/loopback.ts';

const folder = mkdtempSync(join(tmpdir(), 'meridian-documented-'));
const page = readFileSync('docs/workers-kv.md', 'utf8');
let served: ServedOrigin;

beforeAll(async () => {
  served = await serveOrigin();
});

afterAll(async () => {
  await served.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The first block of the language. */
function block(language: string): string {
  return new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(page)?.[1] ?? '';
}

it('the Worker and the configuration of the documentation run as they stand, at another address', async () => {
  writeFileSync(join(folder, 'worker.js'), block('js'));
  writeFileSync(join(folder, 'config.capnp'), block('capnp'));
  const value = Buffer.from('Hello from the origin');
  const mutations = [{ kind: 'put' as const, key: 'greeting', value }];
  await served.origin.write({ namespace: 'config', mutations, session: emptySession }, aCall());
  const example = relative(resolve('deploy/examples'), folder);
  const worker = await runWorker({ example, externals: { kv: served.address } });
  expect(await (await fetch(worker.url)).text()).toBe('Hello from the origin');
  await worker.stop();
});
