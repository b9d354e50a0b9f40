import { MeridianError } from './errors.ts';

/**
 * The versions of the feed's protocol that one side speaks. A change that an earlier side would misread makes a new
 * version. The version before is still spoken, so that software one version apart can follow each other in either
 * direction. Fields that may be ignored make no new version.
 *
 *     follower speaks 2 to 3, server 2 to 2: both speak 2      follower 3 to 4, server 2 to 2: refused
 */
export interface SpokenVersions {
  /** The latest. */
  readonly protocol: number;
  /** Unset = only the latest. */
  readonly protocolOldest?: number;
}

/** What this software speaks. */
export const feedVersions = { protocol: 2, protocolOldest: 2 } as const satisfies SpokenVersions;

/** The latest version that both speak. @throws FAILED_PRECONDITION (`feed-version`) where there is none */
export function commonVersion(follower: SpokenVersions, server: SpokenVersions = feedVersions): number {
  const common = Math.min(follower.protocol, server.protocol);
  if (common >= Math.max(oldestOf(follower), oldestOf(server))) return common;
  throw new MeridianError(
    'FAILED_PRECONDITION',
    `this node speaks ${textOf(server)} of the feed, and the follower ${textOf(follower)}: update the older one first`,
    { reason: 'feed-version', limit: server.protocol, seen: follower.protocol },
  );
}

/** Checks the version a server chose; unset = none, from earlier. @throws FAILED_PRECONDITION (`feed-version`) */
export function checkChosen(chosen: number | undefined, spoken: SpokenVersions = feedVersions): void {
  if (chosen === undefined || (chosen >= oldestOf(spoken) && chosen <= spoken.protocol)) return;
  throw new MeridianError(
    'FAILED_PRECONDITION',
    `the node that is followed chose version ${chosen} of the feed, and this one speaks ${textOf(spoken)}`,
    { reason: 'feed-version', limit: spoken.protocol, seen: chosen },
  );
}

function oldestOf({ protocol, protocolOldest = protocol }: SpokenVersions): number {
  return protocolOldest;
}

function textOf(spoken: SpokenVersions): string {
  const oldest = oldestOf(spoken);
  return oldest === spoken.protocol ? `version ${oldest}` : `versions ${oldest} to ${spoken.protocol}`;
}
