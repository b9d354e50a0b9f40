import type { BackupTarget } from '../backup/backup-target.ts';
import { FolderTarget } from '../backup/folder-target.ts';
import { chainOf, type Manifest, readManifests } from '../backup/manifest.ts';
import { readEvents } from '../backup/read-backup.ts';
import { type S3Options, S3Target } from '../backup/s3-target.ts';
import { type TakeOptions, takeBackup } from '../backup/take-backup.ts';
import { type ErrorCode, isMeridianError, MeridianError } from '../model/errors.ts';
import type { FeedEvent } from '../model/feed.ts';
import { silentOriginObserver } from '../origin/observer.ts';
import { originDefaults } from '../origin/origin-options.ts';
import { restoreStore } from '../origin/restore.ts';
import { silentReplicationObserver } from '../replication/observer.ts';
import { RemoteUpstream } from '../rpc/client/remote-upstream.ts';
import { Backoff } from '../runtime/backoff.ts';
import { sleep } from '../runtime/clock.ts';
import type { ClientTls } from '../runtime/tls.ts';
import { claimFolder } from './claim-folder.ts';
import { openVerified } from './open-store.ts';
import { OriginFolder } from './origin-stores.ts';
import type { Outside } from './outside.ts';
import { softwareVersion } from './software-version.ts';

export { summaryOf } from '../backup/manifest.ts';
export { prune } from '../backup/prune.ts';
export { verifyBackups } from '../backup/verify.ts';

/** A folder, or `s3://bucket/prefix` with what the environment says. @throws INVALID_ARGUMENT where none can be kept there */
export function openBackupTarget(options: S3Options): BackupTarget {
  const { place } = options;
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(place) ?? [];
  if (scheme === undefined) return new FolderTarget(place);
  if (scheme === 's3') return new S3Target(options);
  throw new MeridianError('INVALID_ARGUMENT', `backups are kept in a folder or in s3://; ${scheme}:// is not known`, {
    reason: 'backup-target',
  });
}

export interface BackupRun extends Omit<TakeOptions, 'feed'> {
  /** `host:port` of nodes that hold everything; the next one is asked where one is away. */
  readonly addresses: readonly string[];
  readonly token?: string | undefined;
  /** Unset = in the clear. */
  readonly tls?: ClientTls | undefined;
  /** Milliseconds for which it is tried again while no node answers; what has come so far is kept. */
  readonly retryMs: number;
  /** Told of each failure that it is tried again after. */
  readonly failed: (error: MeridianError) => void;
}

/** Of nodes that are away or busy. */
const passingCodes: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'RESOURCE_EXHAUSTED', 'DEADLINE_EXCEEDED']);

/** Takes one backup. @throws what `takeBackup` throws, what passes by itself only once `retryMs` is over */
export async function backUp({ addresses, token, tls, retryMs, failed, ...options }: BackupRun): Promise<Manifest> {
  const { clock, random, signal } = options;
  const endMs = clock.monotonicMs() + retryMs;
  const backoff = new Backoff({ firstMs: 200, mostMs: 5_000 }, random);
  for (let turn = 0; ; turn++) {
    const address = addresses[turn % addresses.length] ?? '';
    const encrypted = tls === undefined ? {} : { tls: () => tls };
    const feed = new RemoteUpstream({ address, clock, credential: () => token, ...encrypted });
    try {
      return await takeBackup({ ...options, feed });
    } catch (error) {
      signal.throwIfAborted();
      // Whoever keeps the backups was asked again already, where that may help.
      const isOfNode = isMeridianError(error) && error.details.reason !== 'backup-target';
      if (!isOfNode || !passingCodes.has(error.code) || clock.monotonicMs() >= endMs) throw error;
      failed(error);
    } finally {
      feed.close();
    }
    await sleep(clock, backoff.nextMs(), signal);
  }
}

export interface RestoreRun {
  readonly target: BackupTarget;
  /** The data folder, empty or not there yet. */
  readonly data: string;
  /** Milliseconds since 1970: the last backup that was taken by then. Default: the last. */
  readonly atMs?: number | undefined;
  readonly outside: Outside;
  readonly received: (records: number) => void;
}

/**
 * Makes a data folder of an origin from a backup. @throws NOT_FOUND where there is none of that time; FAILED_PRECONDITION
 * where the folder holds anything; DATA_LOSS, UNAVAILABLE
 */
export async function restoreBackup({ target, data, atMs, outside, received }: RestoreRun): Promise<Manifest> {
  const manifests = await readManifests(target);
  const wanted = manifests.filter(({ takenMs }) => atMs === undefined || takenMs <= atMs).at(-1);
  if (wanted === undefined) throw noneOf(target, manifests, atMs);
  await claimFolder(data, 'origin');
  const bounds = { acceptLoss: false, diskReserveBytes: 0, scrubRateBytes: 0 };
  const stores = await OriginFolder.open(data, (path, name) => openVerified(path, { ...bounds, outside, name }));
  try {
    await restoreStore({
      ...originDefaults,
      ...outside,
      stores,
      observer: silentReplicationObserver,
      originObserver: silentOriginObserver,
      name: '',
      region: '',
      version: softwareVersion(),
      durability: 'local',
      clusterId: wanted.clusterId,
      events: eventsOf(target, chainOf(manifests, wanted)),
      received,
    });
  } finally {
    await stores.close();
  }
  return wanted;
}

async function* eventsOf(target: BackupTarget, chain: readonly Manifest[]): AsyncGenerator<FeedEvent> {
  for (const manifest of chain) yield* readEvents(target, manifest);
}

function noneOf(target: BackupTarget, manifests: readonly Manifest[], atMs: number | undefined): MeridianError {
  const [first] = manifests;
  const message =
    first === undefined || atMs === undefined
      ? `${target.place} holds no backup`
      : `the first backup in ${target.place} is of ${new Date(first.takenMs).toISOString()}`;
  return new MeridianError('NOT_FOUND', message, { reason: 'no-backup' });
}
