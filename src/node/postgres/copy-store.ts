import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { MeridianError } from '../../model/errors.ts';
import type { Record } from '../../model/record.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import { holdsStore } from '../../store/check-store.ts';
import { openLevelStore } from '../../store/level-store.ts';
import { PostgresDatabase } from '../../store/postgres/postgres-database.ts';
import { postgresDefaults } from '../../store/postgres/postgres-options.ts';
import { PostgresStore } from '../../store/postgres/postgres-store.ts';
import { parsePostgresUrl } from '../../store/postgres/postgres-url.ts';
import type { Snapshot, Store } from '../../store/store.ts';
import type { Outside } from '../outside.ts';

export interface CopyOptions {
  /** Data folder of an origin that is stopped. */
  readonly from: string;
  /** URL of a database whose tables are there and hold nothing. */
  readonly to: string;
  readonly outside: Pick<Outside, 'clock' | 'random'>;
  /** Told of so many more records. */
  readonly copied: (records: number) => void;
}

/** Milliseconds between looks at who holds the database. */
const lookMs = 250;
/** Records, and bytes of their values, of one commit. */
const batchRecordsMax = 1_000;
const batchBytesMax = 4 * 1024 * 1024;

/**
 * Copies an origin's data from its folder into a database, stamps and positions kept: it is the same member there. The named
 * state comes last, in one commit, so a copy that broke off is no origin yet, and begins anew.
 * @throws INVALID_ARGUMENT (no origin's folder), FAILED_PRECONDITION (the database holds an origin, or is used), UNAVAILABLE,
 * DATA_LOSS where records of the folder are damaged, or it is not known which are lost
 */
export async function copyStore({ from, to, outside, copied }: CopyOptions): Promise<{ readonly store: string }> {
  const directory = sourceIn(from);
  const place = parsePostgresUrl(to);
  const options = { ...postgresDefaults, ...outside, place, holder: 'meridian store copy', leaseMs: 30_000 };
  const source = await openLevelStore(directory);
  const database = new PostgresDatabase(options, { lost: () => {} });
  try {
    checkSound(source, from);
    await take(database, outside.clock);
    const target = await PostgresStore.open(database);
    if ((await target.metaNames()).length > 0) throw notEmpty(place.shown, 'it holds the data of an origin');
    await target.erase(); // Of a copy that broke off.
    await copyRecords(source, target, copied);
    await target.commit({ puts: [], removals: [], meta: await metaOf(source), sync: true });
    await target.close();
    return { store: place.shown };
  } finally {
    await database.close();
    await source.close();
  }
}

/** Waits for the lease of a process that is gone, such as a copy that was killed: its time never grows. */
async function take(database: PostgresDatabase, clock: Clock): Promise<void> {
  for (let leftMs = Number.POSITIVE_INFINITY; ; ) {
    const found = await database.take();
    if (found === 'taken') return;
    if (found.leftMs > leftMs) throw notEmpty(database.options.place.shown, `${found.holder} uses it`);
    leftMs = found.leftMs;
    await sleep(clock, lookMs, new AbortController().signal);
  }
}

function sourceIn(folder: string): string {
  const directory = join(folder, 'store');
  if (!existsSync(directory) || !holdsStore(directory)) {
    throw new MeridianError('INVALID_ARGUMENT', `${folder} holds no store of an origin`, { reason: 'no-store' });
  }
  if (!readdirSync(folder).some((name) => /^aside-\d+$/.test(name))) return directory;
  const message = `the origin of ${folder} has yet to bring back what it put aside: start it once more, until its status says so`;
  throw new MeridianError('FAILED_PRECONDITION', message, { reason: 'store-aside' });
}

/** A database has no doubts: what is lost would be answered as never written there. @throws DATA_LOSS */
function checkSound(source: Store, folder: string): void {
  const { damagedRecords, absenceUncertain } = source.condition();
  if (damagedRecords === 0 && !absenceUncertain) return;
  const what = absenceUncertain ? 'nobody knows which records it lost' : `${damagedRecords} of its records are damaged`;
  const message = `the store in ${folder} cannot be copied, as ${what}: have it healed by its peers or begun anew first, or accept the loss by one start with --accept-loss`;
  throw new MeridianError('DATA_LOSS', message, { reason: 'store-damaged', seen: damagedRecords });
}

async function copyRecords(source: Store, target: Store, copied: (records: number) => void): Promise<void> {
  const snapshot = source.snapshot();
  try {
    let batch: Record[] = [];
    let bytes = 0;
    const flush = async () => {
      await target.commit({
        puts: batch.map((record) => ({ record, held: undefined })),
        removals: [],
        meta: new Map(),
        sync: true,
      });
      copied(batch.length);
      batch = [];
      bytes = 0;
    };
    for await (const record of recordsOf(snapshot)) {
      batch.push(record);
      bytes += record.kind === 'live' ? record.value.byteLength : 0;
      if (batch.length >= batchRecordsMax || bytes >= batchBytesMax) await flush();
    }
    if (batch.length > 0) await flush();
  } finally {
    await snapshot.close();
  }
}

/** @throws DATA_LOSS at the first damaged one */
async function* recordsOf(snapshot: Snapshot): AsyncGenerator<Record> {
  for await (const page of snapshot.records({})) {
    for (const stored of page) {
      if (stored.kind === 'tombstone') yield stored;
      else if (stored.value !== undefined) {
        const { valueBytes: _, value, ...head } = stored;
        yield { ...head, value };
      } else {
        const record = await snapshot.read(stored);
        if (record !== undefined) yield record;
      }
    }
  }
}

async function metaOf(source: Store): Promise<ReadonlyMap<string, Uint8Array>> {
  const meta = new Map<string, Uint8Array>();
  for (const name of await source.metaNames()) {
    const value = await source.meta(name);
    if (value !== undefined) meta.set(name, value);
  }
  return meta;
}

function notEmpty(shown: string, why: string): MeridianError {
  return new MeridianError('FAILED_PRECONDITION', `${shown} takes no copy: ${why}`, { reason: 'store-not-empty' });
}
