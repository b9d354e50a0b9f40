import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * True if a process, maybe this one, is known to have the store open: its files are changing, so no check may touch
 * them. LevelDB itself refuses such a folder. Only Linux tells who holds a lock without taking it; elsewhere, and for
 * processes of another container, nothing is known.
 */
export async function isLocked(directory: string): Promise<boolean> {
  try {
    const { dev, ino } = await stat(join(directory, 'LOCK'));
    const locks = await readFile('/proc/locks', 'utf8');
    return locks.split('\n').some((line) => line.includes(` WRITE `) && line.includes(` ${deviceName(dev)}:${ino} `));
  } catch {
    return false; // No lock, or no such list.
  }
}

/** Major and minor number, which Linux packs into one, in the form that the list has. */
function deviceName(dev: number): string {
  const low = dev % 2 ** 32;
  const major = (low >>> 8) & 0xfff;
  const minor = (low & 0xff) | ((low >>> 12) & 0xfff00);
  return [major, minor].map((number) => number.toString(16).padStart(2, '0')).join(':');
}
