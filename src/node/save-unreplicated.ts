import { existsSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Record } from '../model/record.ts';
import type { Logger } from '../runtime/logger.ts';

interface Where {
  readonly folder: string;
  /** Of the origin that lost its id. */
  readonly id: string;
  /** Of this loss: a disk that was restored twice may be lost twice under one id. */
  readonly loss: string;
  readonly why: string;
  readonly logger: Logger;
}

/**
 * Writes what only this origin holds into `unreplicated-ID-LOSS.ndjson` in its data folder, one JSON object a line: namespace
 * (its id), key, version, and value in base64 with metadata and expiration, or `deleted`. On disk when it resolves; a
 * file that is complete is never written again, for then a crash came between saving and erasing.
 */
export async function saveUnreplicated(
  { folder, id, loss, why, logger }: Where,
  records: AsyncIterable<Record>,
): Promise<void> {
  const path = join(folder, `unreplicated-${id}-${loss}.ndjson`);
  if (existsSync(path)) return;
  const file = await open(`${path}.part`, 'w');
  let saved = 0;
  try {
    for await (const record of records) {
      await file.appendFile(`${line(record)}\n`); // Unlike `write`, all of it or an error: the disk may be full.
      saved++;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.part`, path);
  await syncFolder(folder);
  logger.log('error', 'this origin lost its id; what only it held is saved, and it begins empty under a new id', {
    id,
    why,
    records: saved,
    path,
  });
}

/** A name is on disk once its folder is; what it names is erased from the store next. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function line(record: Record): string {
  const { namespace, key, stamp: version } = record;
  if (record.kind === 'tombstone') return JSON.stringify({ namespace, key, version, deleted: true });
  const { value, metadata, expiresAt } = record;
  return JSON.stringify({
    namespace,
    key,
    version,
    value: Buffer.from(value).toString('base64'),
    base64: true,
    ...(metadata === undefined ? {} : { metadata: JSON.parse(metadata) as unknown }),
    ...(expiresAt === undefined ? {} : { expiration: expiresAt }),
  });
}
