import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MeridianError } from '../model/errors.ts';
import { readAcknowledged } from './files/acknowledged.ts';
import { readManifest } from './files/manifest.ts';
import { checkLogs, type LogPlace } from './integrity/check-logs.ts';
import { checkTables, type DamagedTable } from './integrity/check-tables.ts';
import { isLocked } from './integrity/is-locked.ts';

export interface StoreReport {
  readonly directory: string;
  /** Commits that were acknowledged, as far as is known; 0 = nothing is claimed. */
  readonly acknowledged: number;
  /** Of those, the ones that the logs are known to have lost. */
  readonly missing?: { readonly from: number; readonly through: number };
  /** Where a log becomes unreadable; without `missing` this is the torn end that a power cut leaves. */
  readonly fault?: LogPlace;
  readonly tables: number;
  readonly bytes: number;
  readonly damaged: readonly DamagedTable[];
  /** Its CURRENT or MANIFEST cannot be read, so that nothing else could be checked. */
  readonly manifestLost: boolean;
}

export function isWhole({ missing, damaged, manifestLost }: StoreReport): boolean {
  return missing === undefined && damaged.length === 0 && !manifestLost;
}

/** True if this folder holds a store, whole or not. */
export function holdsStore(directory: string): boolean {
  return ['CURRENT', 'ACKNOWLEDGED', 'LOCK'].some((name) => existsSync(join(directory, name)));
}

/**
 * Verifies the files of a closed store, and changes nothing. If no log is left that knows of missing commits, only an
 * opening reveals and reports them. @throws UNAVAILABLE (`store-locked`)
 */
export async function checkStore(directory: string): Promise<StoreReport> {
  if (await isLocked(directory)) {
    throw new MeridianError('UNAVAILABLE', `a process has the store in ${directory} open: stop it first`, {
      reason: 'store-locked',
    });
  }
  const { commits: acknowledged } = readAcknowledged(directory);
  const nothing = { directory, acknowledged, tables: 0, bytes: 0, damaged: [] };
  if ((await readManifest(directory)) === undefined) return { ...nothing, manifestLost: true };
  const { missing, fault } = await checkLogs(directory, acknowledged);
  const { tables, bytes, damaged } = await checkTables(directory, () => true);
  const lost = { ...(missing === undefined ? {} : { missing }), ...(fault === undefined ? {} : { fault }) };
  return { directory, acknowledged, ...lost, tables, bytes, damaged, manifestLost: false };
}
