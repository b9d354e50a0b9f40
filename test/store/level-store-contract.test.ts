import { openLevelStore } from '../../src/store/level-store.ts';
import { storeContract } from '../contract/store.ts';
import { makeFolder } from './level-folder.ts';

storeContract('LevelDB', async () => {
  const folder = await makeFolder();
  return { open: () => openLevelStore(folder.path), remove: folder.remove };
});
