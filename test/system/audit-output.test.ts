import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { meridianScript } from './process-cluster.ts';

let folder: string;
let node: ChildProcess;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meridian-audit-'));
});

afterEach(() => {
  node.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

it('a node goes on, and says so, where nobody reads the audit log on its standard output any more', async () => {
  const http = `127.0.0.1:${await freePort()}`;
  const words = ['origin', '--data', join(folder, 'data'), '--listen', '127.0.0.1:0', '--http', http];
  node = spawn(process.execPath, [meridianScript, ...words, '--audit-log', '-', '--audit-writes'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [log, audit] = ['', ''];
  node.stderr?.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  node.stdout?.on('data', (chunk: Buffer) => {
    audit += chunk.toString();
  });
  await expect.poll(() => log, { timeout: 30_000 }).toContain('"serving"');
  const namespaces = `http://${http}/client/v4/accounts/any/storage/kv/namespaces`;
  const create = async (title: string) => {
    const body = JSON.stringify({ title });
    return (await fetch(namespaces, { method: 'POST', body, headers: { 'content-type': 'application/json' } })).status;
  };
  expect(await create('first')).toBe(200);
  await expect.poll(() => audit).toContain('\n');
  node.stdout?.destroy();
  expect(await create('second')).toBe(200);
  await expect.poll(() => log).toContain('the audit log cannot be written');
  expect(await create('third')).toBe(200);
  node.kill('SIGTERM');
  expect(await once(node, 'exit')).toEqual([0, null]);
});
