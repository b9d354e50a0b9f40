import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Record } from '../../src/model/record.ts';
import { saveUnreplicated } from '../../src/node/save-unreplicated.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { live } from '../contract/sample-records.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meridian-save-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function* only(...records: Record[]): AsyncGenerator<Record> {
  yield* records;
}

function save(loss: string, ...keys: string[]): Promise<void> {
  const records = only(...keys.map((key, index) => live({ key, sequence: index + 1 })));
  return saveUnreplicated({ folder, id: 'x', loss, why: 'retired', logger }, records);
}

async function saved(): Promise<Array<readonly [name: string, keys: readonly string[]]>> {
  const names = (await readdir(folder)).sort();
  const keysOf = async (name: string) => {
    const lines = (await readFile(join(folder, name), 'utf8')).split('\n').slice(0, -1);
    return lines.map((line) => (JSON.parse(line) as { key: string }).key);
  };
  return Promise.all(names.map(async (name) => [name, await keysOf(name)] as const));
}

it('an id that is lost again, by another restore of its disk, has what it then held saved beside the first', async () => {
  await save('1');
  await save('2', 'a', 'b');
  expect(await saved()).toEqual([
    ['unreplicated-x-1.ndjson', []],
    ['unreplicated-x-2.ndjson', ['a', 'b']],
  ]);
});

it('what is saved stays as it is when a crash has the same loss saved again', async () => {
  await save('1', 'a');
  await save('1');
  expect(await saved()).toEqual([['unreplicated-x-1.ndjson', ['a']]]);
});
