import { expect, it } from 'vitest';
import { live } from '../contract/sample-records.ts';
import { storeContract } from '../contract/store.ts';
import { commit } from '../contract/store-driver.ts';
import { MemoryDisk } from './memory-store.ts';

storeContract('memory', async () => {
  const disk = new MemoryDisk();
  const open = async (full: boolean) => {
    disk.full = full;
    return disk.open();
  };
  return {
    open: () => open(false),
    openFull: () => open(true),
    damage: async (key) => disk.damage(key),
    remove: async () => disk.wipe(),
  };
});

it('loses in a crash what was not synced, and nothing else', async () => {
  const disk = new MemoryDisk();
  const store = disk.open();
  const synced = live({ key: 'synced', sequence: 1 });
  const unsynced = live({ key: 'unsynced', sequence: 2 });
  await commit(store, { puts: [synced], sync: true });
  await commit(store, { puts: [unsynced] });
  store.crash();
  const next = disk.open();
  expect(await next.read(synced)).toBeDefined();
  expect(await next.read(unsynced)).toBeUndefined();
});
