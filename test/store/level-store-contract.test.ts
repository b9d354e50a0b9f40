import { statfs } from 'node:fs/promises';
import { ClassicLevel } from 'classic-level';
import { openLevelStore } from '../../src/store/level-store.ts';
import { storeContract } from '../contract/store.ts';
import { makeFolder } from './level-folder.ts';

storeContract('LevelDB', async () => {
  const folder = await makeFolder();
  return {
    open: () => openLevelStore(folder.path),
    openFull: async () => {
      const { bavail, bsize } = await statfs(folder.path);
      return openLevelStore(folder.path, { reserveBytes: 2 * bavail * bsize });
    },
    damage: async ({ namespace, key }) => {
      const raw = new ClassicLevel<string, Buffer>(folder.path, { valueEncoding: 'buffer' });
      const row = await raw.get(`r${namespace}${key}`);
      if (row === undefined) throw new Error(`${key} is not held`);
      row[10] = (row[10] ?? 0) ^ 1;
      await raw.put(`r${namespace}${key}`, row);
      await raw.close();
    },
    remove: folder.remove,
  };
});
