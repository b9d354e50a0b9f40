import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OriginFolder } from '../../src/node/origin-stores.ts';
import type { Store } from '../../src/store/store.ts';

let folder: string;
let stores: OriginFolder;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meridian-stores-'));
  stores = await OriginFolder.open(folder);
});
afterEach(async () => {
  await stores.close();
  await rm(folder, { recursive: true, force: true });
});

async function mark(store: Store, text: string): Promise<void> {
  await store.commit({ puts: [], removals: [], meta: new Map([['mark', Buffer.from(text)]]), sync: true });
}

async function marks(): Promise<Array<string | undefined>> {
  const read = [stores.store, ...stores.aside].map((store) => store.meta('mark'));
  return (await Promise.all(read)).map((bytes) => bytes && Buffer.from(bytes).toString());
}

async function reopen(): Promise<void> {
  await stores.close();
  stores = await OriginFolder.open(folder);
}

it('a store that is put aside is still read, and an empty one takes its place', async () => {
  await mark(stores.store, 'first');
  await stores.putAside();
  expect(await marks()).toEqual([undefined, 'first']);
  await mark(stores.store, 'second');
  await stores.putAside();
  expect(await marks()).toEqual([undefined, 'first', 'second']);
  await reopen();
  expect(await marks(), 'the newest is the last').toEqual([undefined, 'first', 'second']);
});

it('what is dropped is gone from the disk, and the store stays', async () => {
  await mark(stores.store, 'first');
  await stores.putAside();
  await mark(stores.store, 'second');
  await stores.dropAside();
  expect(await marks()).toEqual(['second']);
  expect(await readdir(folder)).toEqual(['store']);
  await reopen();
  expect(await marks()).toEqual(['second']);
});

it('a store that is taken back is what was put aside last, and what stood in its place is gone', async () => {
  await mark(stores.store, 'first');
  await stores.putAside();
  await mark(stores.store, 'second');
  await stores.putAside();
  await mark(stores.store, 'third');
  await stores.takeBack();
  expect(await marks()).toEqual(['second', 'first']);
  await mark(stores.store, 'fourth');
  await reopen();
  expect(await marks()).toEqual(['fourth', 'first']);
  expect((await readdir(folder)).sort()).toEqual(['aside-1', 'store']);
});

it('a crash while a store is taken back leaves it aside', async () => {
  await mark(stores.store, 'first');
  await stores.putAside();
  await mark(stores.store, 'second');
  await stores.close();
  await rename(join(folder, 'store'), join(folder, 'dropped-1'));
  stores = await OriginFolder.open(folder);
  expect(await marks()).toEqual([undefined, 'first']);
});

it('a crash behind the renaming leaves the store aside, and an empty one is made', async () => {
  await mark(stores.store, 'first');
  await stores.close();
  await rename(join(folder, 'store'), join(folder, 'aside-1'));
  stores = await OriginFolder.open(folder);
  expect(await marks()).toEqual([undefined, 'first']);
});

it('a store whose deletion was cut off is deleted, not opened', async () => {
  await stores.close();
  await mkdir(join(folder, 'dropped-1', 'half'), { recursive: true });
  stores = await OriginFolder.open(folder);
  expect(stores.aside).toEqual([]);
  expect(await readdir(folder)).toEqual(['store']);
});

it('a second process is kept out', async () => {
  await expect(OriginFolder.open(folder)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
