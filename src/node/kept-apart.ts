import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Record } from '../model/record.ts';
import type { Logger } from '../runtime/logger.ts';
import { syncFolder } from '../runtime/sync-folder.ts';
import { recordJson } from './record-json.ts';

interface Where {
  readonly folder: string;
  /** The member's id. */
  readonly member: string;
  readonly logger: Logger;
}

/**
 * Writes what only this origin held when it began anew, and what may not be written again, into `kept-apart-MEMBER-HASH.ndjson`
 * in its data folder, one JSON object a line: namespace (its id), key, version, and value in base64 with metadata and
 * expiration, or `deleted`. Resolves with the path once the file is on disk, or with nothing where there are no records.
 * The hash is of the lines: after a crash the same records make the same file, and others never write over it.
 */
export async function keepApart(
  { folder, member, logger }: Where,
  records: AsyncIterable<Record>,
): Promise<string | undefined> {
  const part = join(folder, `kept-apart-${member}.part`);
  const file = await open(part, 'w');
  const hash = createHash('sha256');
  let kept = 0;
  try {
    for await (const record of records) {
      const line = `${lineOf(record)}\n`;
      hash.update(line);
      await file.appendFile(line); // Unlike `write`, all of it or an error: the disk may be full.
      kept++;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  if (kept === 0) {
    await rm(part);
    return undefined;
  }
  const path = join(folder, `kept-apart-${member}-${hash.digest('hex').slice(0, 16)}.ndjson`);
  await rename(part, path);
  await syncFolder(folder);
  logger.log(
    'warn',
    'what only this origin held may have been deleted long ago: it is kept in a file and not written again',
    {
      member,
      records: kept,
      path,
    },
  );
  return path;
}

function lineOf(record: Record): string {
  const { namespace, key, stamp: version } = record;
  if (record.kind === 'tombstone') return JSON.stringify({ namespace, key, version, deleted: true });
  const { value, metadata, expiresAt } = record;
  const fields = {
    namespace,
    key,
    version,
    value: Buffer.from(value).toString('base64'),
    base64: true,
    ...(expiresAt === undefined ? {} : { expiration: expiresAt }),
  };
  return recordJson(fields, metadata);
}
