import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a folder, and those above it that are missing. Returns the first one that it made; undefined where all were there.
 * Node's own `mkdir` with `recursive` goes on for ever where a folder says that it is there and that nothing is to be
 * made in it for want of it, as /proc does.
 * @throws the file system's error
 */
export async function makeFolder(path: string): Promise<string | undefined> {
  try {
    return await made(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error;
  }
  const above = await makeFolder(dirname(path));
  const own = await made(path);
  return above ?? own;
}

/** Undefined where it was there, or another process made it meanwhile. */
async function made(path: string): Promise<string | undefined> {
  try {
    await mkdir(path);
    return path;
  } catch (error) {
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory()) return undefined;
    throw error;
  }
}
