import { MeridianError } from '../model/errors.ts';
import type { OriginId } from '../model/position.ts';
import { counterMax, makeStamp, type Stamp, stampParts, stampWallMs } from '../model/stamp.ts';

/**
 * The next stamp of an origin (rule R15): later than `highWater`, whatever the wall clock says. A clock that stepped
 * back is waited out by counting; a full counter borrows the next millisecond.
 */
export function nextStamp(highWater: Stamp, wallMs: number, origin: OriginId): Stamp {
  const { wallMs: highMs, counter } = stampParts(highWater);
  if (wallMs > highMs) return makeStamp({ wallMs, counter: 0, origin });
  if (counter < counterMax) return makeStamp({ wallMs: highMs, counter: counter + 1, origin });
  return makeStamp({ wallMs: highMs + 1, counter: 0, origin });
}

/**
 * Refuses a session's stamp that lies further ahead than clocks may differ: it would win every conflict from here on
 * (rule R14). @throws FAILED_PRECONDITION
 */
export function checkSessionStamp(stamp: Stamp, highWater: Stamp, wallMs: number, clockSkewMsMax: number): void {
  if (stamp <= highWater) return;
  const aheadMs = stampWallMs(stamp) - wallMs;
  if (aheadMs <= clockSkewMsMax) return;
  throw new MeridianError(
    'FAILED_PRECONDITION',
    `the session's stamp is ${aheadMs} ms ahead of this origin's clock; at most ${clockSkewMsMax} ms are accepted`,
    { reason: 'session-ahead', limit: clockSkewMsMax, seen: aheadMs },
  );
}
