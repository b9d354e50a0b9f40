import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { isMeridianError } from '../model/errors.ts';
import type { FeedEvent } from '../model/feed.ts';
import type { BackupTarget } from './backup-target.ts';
import { eventsIn } from './event-bytes.ts';
import { type BackupPart, damaged, type Manifest, partPath } from './manifest.ts';

/** Bytes of one part as it was: more than any event, less than what a file that is no backup could blow up to. */
const partBytesMax = 256 * 1024 * 1024;

const decompress = promisify(gunzip);

/** The events of one backup, up to the one that says what it covers. @throws DATA_LOSS where it is not what was written */
export async function* readEvents(target: BackupTarget, { id, parts, records }: Manifest): AsyncGenerator<FeedEvent> {
  let last: FeedEvent['kind'] | undefined;
  let found = 0;
  for (const part of parts) {
    for (const event of await readPart(target, id, part)) {
      if (event.kind === 'changes') found += event.records.length;
      last = event.kind;
      yield event;
    }
  }
  if (last !== 'caught-up') throw damaged(`${id} does not end where it was whole`);
  if (found !== records) throw damaged(`${id} holds ${found} records, and was written with ${records}`);
}

/** @throws DATA_LOSS where it is not what was written */
export async function readPart(target: BackupTarget, id: string, part: BackupPart): Promise<Iterable<FeedEvent>> {
  const path = partPath(id, part.name);
  const stored = await target.read(path).catch((error: unknown) => {
    throw isMeridianError(error, 'NOT_FOUND') ? damaged(`${path} is not there`) : error;
  });
  if (stored.byteLength !== part.bytes || createHash('sha256').update(stored).digest('hex') !== part.sha256) {
    throw damaged(`${path} is not what was written`);
  }
  return eventsIn(await decompressed(path, stored));
}

async function decompressed(path: string, bytes: Buffer): Promise<Buffer> {
  try {
    return await decompress(bytes, { maxOutputLength: partBytesMax });
  } catch (error) {
    throw damaged(`${path} cannot be decompressed: ${error instanceof Error ? error.message : String(error)}`);
  }
}
