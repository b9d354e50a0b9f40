import { randomUUID } from 'node:crypto';
import { open, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { MeridianError } from '../model/errors.ts';
import { makeFolder } from '../runtime/make-folder.ts';
import { syncFolder } from '../runtime/sync-folder.ts';
import type { BackupTarget } from './backup-target.ts';

const draftName = /\.draft-[0-9a-f-]{36}$/;

/** Backups in a folder. Each file is written beside its place, synced, and renamed. */
export class FolderTarget implements BackupTarget {
  readonly place: string;

  constructor(folder: string) {
    this.place = resolve(folder);
  }

  async names(): Promise<readonly string[]> {
    const entries = await readdir(this.place, { recursive: true, withFileTypes: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw this.#failed(error);
      },
    );
    return entries
      .filter((entry) => entry.isFile() && !draftName.test(entry.name))
      .map((entry) => relative(this.place, join(entry.parentPath, entry.name)).split(sep).join('/'));
  }

  async read(name: string): Promise<Buffer> {
    try {
      return await readFile(join(this.place, name));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') throw this.#failed(error);
      throw new MeridianError('NOT_FOUND', `${join(this.place, name)} is not there`, { reason: 'no-file' });
    }
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.place, name);
    const draft = `${path}.draft-${randomUUID()}`;
    try {
      const made = await makeFolder(dirname(path));
      const file = await open(draft, 'wx');
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, path);
      // The file's name, and those of the folders that were made for it.
      const last = made === undefined ? dirname(path) : dirname(resolve(made));
      for (let folder = dirname(path); ; folder = dirname(folder)) {
        await syncFolder(folder);
        if (folder === last) break;
      }
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {});
      throw this.#failed(error);
    }
  }

  async remove(name: string): Promise<void> {
    const path = join(this.place, name);
    await rm(path, { force: true }).catch((error: unknown) => {
      throw this.#failed(error);
    });
    // The last one leaves its folder behind.
    await rmdir(dirname(path)).catch(() => {});
  }

  #failed(cause: unknown): MeridianError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new MeridianError('UNAVAILABLE', `the backups in ${this.place} cannot be reached: ${why}`, {
      reason: 'backup-target',
      cause,
    });
  }
}
