import { type FileHandle, open } from 'node:fs/promises';
import { recordJson } from '../../node/record-json.ts';
import { endLastLine } from '../../runtime/line-end.ts';
import { toJsonValue } from '../json-value.ts';
import { systemFailure } from '../system-failure.ts';
import type { SkippedRecord } from './write-batch.ts';

/**
 * The records that an import passed over, one JSON object a line: `record` (its number), `error`, and the record as
 * import reads it, or the `text` that was no record (in base64, said so by `base64`, where it is no UTF-8). Made when the first one comes. An import that goes on adds to it,
 * and may name a record again that it had passed over before it stopped.
 */
export class SkippedFile {
  readonly path: string;
  readonly #goesOn: boolean;
  #file: Promise<FileHandle> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, goesOn: boolean) {
    this.path = path;
    this.#goesOn = goesOn;
  }

  /** In the file, whole, when it resolves. @throws what systemFailure makes where the file cannot be written */
  add(skipped: SkippedRecord): Promise<void> {
    // One after another, so that no two lines are mixed.
    this.#writing = this.#writing.then(async () => {
      const file = await this.#opened();
      await file.appendFile(`${lineOf(skipped)}\n`).catch(cannotWrite);
    });
    return this.#writing;
  }

  async close(): Promise<void> {
    // What kept it from being opened was thrown to whoever wrote.
    const file = await this.#file?.catch(() => undefined);
    await file?.close();
  }

  async #open(): Promise<FileHandle> {
    const file = await open(this.path, this.#goesOn ? 'a' : 'w');
    await endLastLine(file, this.path);
    return file;
  }

  #opened(): Promise<FileHandle> {
    this.#file ??= this.#open().catch(cannotWrite);
    return this.#file;
  }
}

function cannotWrite(error: Error): never {
  throw systemFailure('the file of skipped records cannot be written', error);
}

function lineOf(skipped: SkippedRecord): string {
  const head = { record: skipped.number, error: skipped.why.message };
  if ('text' in skipped) return JSON.stringify({ ...head, ...unreadText(skipped.text) });
  const { key, value, metadataText, expiration, expirationTtl, isDeletion } = skipped.record;
  if (isDeletion) return JSON.stringify({ ...head, key, deleted: true });
  const fields = {
    ...head,
    key,
    ...toJsonValue(value),
    ...(expiration === undefined ? {} : { expiration }),
    ...(expirationTtl === undefined ? {} : { expiration_ttl: expirationTtl }),
  };
  return recordJson(fields, metadataText);
}

function unreadText(text: string | Uint8Array): { readonly text: string; readonly base64?: true } {
  if (typeof text === 'string') return { text };
  const { value, ...base64 } = toJsonValue(text);
  return { text: value, ...base64 };
}
