import type { VersionVector } from '../model/version-vector.ts';
import type { Logs } from '../replication/logs.ts';

/** What a member covers, and what it purged itself or was told that others did. */
export interface Heard {
  readonly covered: VersionVector;
  readonly floor: VersionVector;
}

/**
 * True if a member that heard no more than this lacks some of what was purged (rule R8): its disk was put back. What is in
 * its own floor it has heard of, though a seal that came since may end the log before that.
 */
export function lacksPurged(logs: Logs, purged: VersionVector, { covered, floor }: Heard): boolean {
  for (const [log, sequence] of purged) {
    if (Math.max(floor.get(log) ?? 0, logs.reach(covered, log)) < sequence) return true;
  }
  return false;
}
