import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * True where a process, maybe this one, is known to have the store open: its files change then, and are no business of a
 * check. LevelDB itself refuses such a folder. Only Linux tells who holds a lock without taking it; elsewhere, and of
 * another container's processes, nothing is known.
 */
export async function isLocked(directory: string): Promise<boolean> {
  try {
    const { ino } = await stat(join(directory, 'LOCK'));
    const locks = await readFile('/proc/locks', 'utf8');
    return locks.split('\n').some((line) => line.includes(' WRITE ') && line.includes(`:${ino} `));
  } catch {
    return false; // No lock, or no such list.
  }
}
