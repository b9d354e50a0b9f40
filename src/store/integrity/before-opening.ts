import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MeridianError } from '../../model/errors.ts';
import { readAcknowledged } from '../files/acknowledged.ts';
import { readManifest } from '../files/manifest.ts';
import { damaged } from '../store-errors.ts';
import { checkLogs, cutLogs } from './check-logs.ts';
import { blankTables, checkTables, rangesOf } from './check-tables.ts';
import { isLocked } from './is-locked.ts';
import type { KeyRange } from './key-range.ts';
import { readPending, writePending } from './quarantine.ts';

export interface BeforeOpening {
  /** Commits that were synced, as far as is known. */
  readonly acknowledged: number;
  /** Ranges whose blocks are blank now; they are settled once LevelDB is open. */
  readonly damaged: readonly KeyRange[];
}

interface Settings {
  readonly acceptLoss: boolean;
  readonly verifyBytes: number;
}

const nothingFound: BeforeOpening = { acknowledged: 0, damaged: [] };

/**
 * Checks the files of a store before LevelDB opens them: what was acknowledged is in its logs, and no block of its
 * tables is damaged. Damaged blocks are blanked. A new store, and one that is open elsewhere, is left to LevelDB.
 * @throws DATA_LOSS if acknowledged commits are missing and that is not accepted, or if a table is unreadable
 */
export async function beforeOpening(directory: string, settings: Settings): Promise<BeforeOpening> {
  if (!existsSync(join(directory, 'CURRENT')) || (await isLocked(directory))) return nothingFound;
  if ((await readManifest(directory)) === undefined) throw damaged(`its MANIFEST cannot be read. ${waysOn}`);
  const claim = readAcknowledged(directory);
  const logs = await checkLogs(directory, claim.commits);
  const { missing, cut, fault } = logs;
  if (missing !== undefined && !settings.acceptLoss) {
    throw commitsMissing(missing, `${fault?.file} cannot be read from byte ${fault?.at} on`);
  }
  const blanked = await verifyTables(directory, claim.closedWell ? settings.verifyBytes : Number.POSITIVE_INFINITY);
  if (cut !== undefined) await cutLogs(directory, cut);
  return { acknowledged: Math.max(claim.commits, missing?.through ?? 0), damaged: blanked };
}

async function verifyTables(directory: string, verifyBytes: number): Promise<readonly KeyRange[]> {
  const pending = await readPending(directory);
  const { damaged: tables } = await checkTables(directory, (bytes) => bytes < verifyBytes);
  const unreadable = tables.find((table) => table.unreadable !== undefined);
  if (unreadable !== undefined) {
    throw damaged(`the table ${unreadable.path} cannot be read: ${unreadable.unreadable}. ${waysOn}`);
  }
  if (tables.length === 0) return pending;
  const ranges = [...pending, ...rangesOf(tables)];
  await writePending(directory, ranges);
  await blankTables(tables);
  return ranges;
}

const waysOn =
  'Ways on: put a backup of the folder in its place; or save what can be read with meridian check --salvage, and start ' +
  'with an empty folder, which an edge fills again by itself and an origin with --peer, or with --rebuild-from an edge ' +
  'that copies everything';

/** Says what is missing, and what can be done. */
export function commitsMissing(
  missing: { readonly from: number; readonly through: number },
  why: string,
): MeridianError {
  const { from, through } = missing;
  const which =
    from === through
      ? `commit ${from} is missing, which was acknowledged`
      : `commits ${from} to ${through} are missing, which were acknowledged`;
  return new MeridianError('DATA_LOSS', `${which}: ${why}. ${waysOn}; or go on without them with --accept-loss`, {
    reason: 'acknowledged-commits-missing',
    limit: through,
    seen: from - 1,
  });
}
