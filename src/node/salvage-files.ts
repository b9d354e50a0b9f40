import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
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
      this.#file = await open(join(this.#folder, `${namespace}.ndjson`), 'wx');
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
