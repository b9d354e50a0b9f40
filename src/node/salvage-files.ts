import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { MeridianError } from '../model/errors.ts';
import type { LiveRecord } from '../model/record.ts';
import { recordJson } from './record-json.ts';

/** Writes records into one file a namespace, named by its id, as `meridian import` reads them. */
export class SalvageFiles {
  readonly #folder: string;
  #namespace: string | undefined;
  #file: FileHandle | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Records come namespace by namespace. */
  async save({ namespace, key, value, metadata, expiresAt }: LiveRecord): Promise<void> {
    if (namespace !== this.#namespace) {
      await this.close();
      this.#file = await openNew(join(this.#folder, `${namespace}.ndjson`));
      this.#namespace = namespace;
    }
    const fields = {
      key,
      value: Buffer.from(value).toString('base64'),
      base64: true,
      ...(expiresAt === undefined ? {} : { expiration: expiresAt }),
    };
    await this.#file?.appendFile(`${recordJson(fields, metadata)}\n`);
  }

  async close(): Promise<void> {
    await this.#file?.sync();
    await this.#file?.close();
    this.#file = undefined;
  }
}

/** What was saved before is never written over. @throws FAILED_PRECONDITION where the file is there */
async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const message = `${path} is there already, from an earlier salvage: name another folder, or take it away`;
    throw new MeridianError('FAILED_PRECONDITION', message, { reason: 'salvaged-before', cause: error });
  }
}
