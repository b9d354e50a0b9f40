import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { registryNamespace as namespace } from '../../src/model/namespace.ts';
import { nowhere as position } from '../../src/model/position.ts';
import type { Record } from '../../src/model/record.ts';
import { bottomStamp as stamp } from '../../src/model/stamp.ts';
import { keepApart } from '../../src/node/kept-apart.ts';
import { SalvageFiles } from '../../src/node/salvage-files.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meridian-kept-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function* records(keys: readonly string[]): AsyncGenerator<Record> {
  for (const key of keys) yield { kind: 'live', namespace, key, stamp, position, value: Buffer.from('v') };
}

function keep(...keys: string[]): Promise<string | undefined> {
  return keepApart({ folder, member: 'm', logger }, records(keys));
}

async function keysIn(path: string | undefined): Promise<readonly string[]> {
  const lines = (await readFile(path ?? '', 'utf8')).split('\n').slice(0, -1);
  return lines.map((line) => (JSON.parse(line) as { key: string }).key);
}

it('nothing is written where there is nothing to keep', async () => {
  expect(await keep()).toBeUndefined();
  expect(await readdir(folder)).toEqual([]);
});

it('what is kept again after a crash stands there once', async () => {
  await writeFile(join(folder, 'kept-apart-m.part'), 'cut off');
  const path = await keep('a', 'b');
  expect(await keep('a', 'b')).toBe(path);
  expect(await keysIn(path)).toEqual(['a', 'b']);
  expect(await readdir(folder)).toHaveLength(1);
});

it('a member that begins anew once more has what it then had alone kept beside the first', async () => {
  const first = await keep('a');
  const second = await keep('b');
  expect([await keysIn(first), await keysIn(second)]).toEqual([['a'], ['b']]);
  expect(first).toMatch(/kept-apart-m-[0-9a-f]{16}\.ndjson$/);
});

it('metadata keeps the digits of its numbers', async () => {
  const metadata = '{"id":12345678901234567890}';
  const value = Buffer.from('v');
  const record = { kind: 'live', namespace, key: 'k', stamp, position, value, metadata, expiresAt: 9 } as const;
  const path = await keepApart(
    { folder, member: 'm', logger },
    (async function* () {
      yield record;
    })(),
  );
  expect(await readFile(path ?? '', 'utf8')).toContain(`"metadata":${metadata}}\n`);
  const files = new SalvageFiles(folder);
  await files.save(record);
  await files.close();
  const line = await readFile(join(folder, `${namespace}.ndjson`), 'utf8');
  expect(line).toBe(`{"key":"k","value":"dg==","base64":true,"expiration":9,"metadata":${metadata}}\n`);
});
