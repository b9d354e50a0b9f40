import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Syncs LevelDB's write-ahead logs. LevelDB syncs the log into which a synced batch goes. But when a log is full it
 * begins another one, and leaves the old one to the operating system until that is a table: a power cut could take an
 * unsynced batch and leave the synced one after it. A log that is gone meanwhile has become a synced table.
 */
export async function syncLogs(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!/^\d+\.log$/.test(name)) continue;
    const file = await open(join(directory, name), 'r+').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    try {
      await file?.datasync();
    } finally {
      await file?.close();
    }
  }
}
