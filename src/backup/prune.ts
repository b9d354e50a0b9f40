import type { Clock } from '../runtime/clock.ts';
import type { BackupTarget } from './backup-target.ts';
import { chainOf, type Manifest, readManifests, removeBackups } from './manifest.ts';

/**
 * Removes the backups that no time within the last `keepMs` needs: what stays is every backup since then, the last one
 * before, and all that these go on from. Returns the ids of those that went. @throws DATA_LOSS, UNAVAILABLE
 */
export async function prune(target: BackupTarget, keepMs: number, clock: Clock): Promise<readonly string[]> {
  const manifests = await readManifests(target);
  const fromMs = clock.wallMs() - keepMs;
  const firstKept = Math.max(0, manifests.filter(({ takenMs }) => takenMs < fromMs).length - 1);
  const needed = new Set<Manifest>();
  for (const kept of manifests.slice(firstKept)) {
    for (const manifest of chainOf(manifests, kept, needed)) needed.add(manifest);
  }
  const removed = manifests.filter((manifest) => !needed.has(manifest)).map(({ id }) => id);
  // The later ones first: none is left without what it goes on from.
  if (removed.length > 0) await removeBackups(target, [...removed].reverse());
  return removed;
}
