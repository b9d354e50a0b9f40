import { parseStamp, stampWallMs } from '../../../../src/model/stamp.ts';
import { logOf, type ReadSeen, type Seen, type WriteSeen } from './chaos-load.ts';

/** What a fault may have taken: of these writes those that are acknowledged `local` alone, and on no other origin's disk. */
export interface Loss {
  /** The id of the member whose disk, or process, it befell. */
  readonly member: string;
  /** Milliseconds since 1970. What was known to be written before is there still. */
  readonly fromMs: number;
  /** What was written later befell nothing. */
  readonly toMs: number;
  /** Only what was written in these logs; all of the member's where unset. */
  readonly logs?: ReadonlySet<string>;
  /** How far another origin's disk had them, when the process had ended. */
  readonly elsewhere: ReadonlyMap<string, number>;
  /** `hidden`: it is there again in the end. */
  readonly kind: 'lost' | 'hidden';
}

/** A write that somebody knows to have been made. */
interface Known {
  readonly kind: 'put' | 'delete';
  readonly version: string;
  /** Acknowledged, or shown by a read. */
  readonly sinceMs: number;
  readonly write: WriteSeen | undefined;
}

/** Milliseconds after which a write that failed for its user is under way no more. */
const underWayMs = 5_000;

/**
 * What users may be shown. Versions are totally ordered, and a session's later writes have later ones, so each promise is
 * a comparison: what is read is at least what was acknowledged (read your writes), and at least what was read before
 * (monotonic reads). Left out is what was written at one origin alone whose disk was put back to an image from before, or
 * that was a copy which is gone: for as long as nobody else had it, that is what `local` means.
 */
export class ChaosJudge {
  readonly #losses: readonly Loss[];
  /** The member that each log is of. */
  readonly #members: ReadonlyMap<string, string>;

  constructor(losses: readonly Loss[], members: ReadonlyMap<string, string>) {
    this.#losses = losses;
    this.#members = members;
  }

  /** What a session of one user, all its operations in their order, was shown and should not have been. */
  violations(seen: readonly Seen[]): string[] {
    return keysOf(seen).flatMap((key) => {
      const ofKey = seen.filter((one) => one.key === key);
      return ofKey.flatMap((one, index) => {
        if (one.kind !== 'read') return [];
        const wrong = this.#wrong(ofKey.slice(0, index), one.version, one.endedMs);
        return wrong === undefined ? [] : [`${describeRead(one)}: ${wrong}`];
      });
    });
  }

  /** What is wrong with what is shown of a key after all, when everything has converged. */
  wrongInTheEnd(seen: readonly Seen[], key: string, version: string | null): string | undefined {
    const wrong = this.#wrong(
      seen.filter((one) => one.key === key),
      version,
      undefined,
    );
    return wrong === undefined ? undefined : `${key}: ${wrong}`;
  }

  /** How many acknowledged writes may be gone. */
  exempted(seen: readonly Seen[]): number {
    return known(seen).filter((one) => one.write !== undefined && this.#mayBeGone(one, undefined)).length;
  }

  /** `atMs`: unset = in the end. */
  #wrong(before: readonly Seen[], shown: string | null, atMs: number | undefined): string | undefined {
    const lasting = known(before).filter((one) => !this.#mayBeGone(one, atMs));
    const least = lasting.reduce<Known | undefined>(
      (a, b) => (a === undefined || a.version < b.version ? b : a),
      undefined,
    );
    if (least === undefined) return undefined;
    if (shown !== null) return shown < least.version ? `${shown} where ${describe(least)} was there` : undefined;
    if (least.kind === 'delete') return undefined;
    const leastMs = least.write?.startedMs ?? least.sinceMs;
    const mayBeDeleted = before.some((one) => {
      if (one.kind !== 'delete') return false;
      return one.written === undefined ? one.endedMs > leastMs - underWayMs : one.written.version > least.version;
    });
    return mayBeDeleted ? undefined : `absent where ${describe(least)} was there`;
  }

  #mayBeGone({ version, sinceMs, write }: Known, atMs: number | undefined): boolean {
    const log = logOf(version);
    const written = write?.written;
    if (written !== undefined && written.durability !== 'local') return false;
    const member = this.#members.get(log);
    const stamp = parseStamp(version);
    const decidedMs = stamp === undefined ? 0 : stampWallMs(stamp);
    return this.#losses.some((loss) => {
      if (atMs === undefined ? loss.kind === 'hidden' : atMs < (loss.kind === 'hidden' ? loss.fromMs : loss.toMs))
        return false;
      if (member !== undefined && member !== loss.member) return false;
      if (loss.logs !== undefined && !loss.logs.has(log)) return false;
      if (written?.sequence !== undefined && written.sequence <= (loss.elsewhere.get(log) ?? 0)) return false;
      return sinceMs >= loss.fromMs && decidedMs <= loss.toMs;
    });
  }
}

function known(seen: readonly Seen[]): Known[] {
  const known = new Map<string, Known>();
  for (const one of seen) {
    const version = one.kind === 'read' ? one.version : one.written?.version;
    if (version === null || version === undefined || known.has(version)) continue;
    const isRead = one.kind === 'read';
    known.set(version, {
      kind: isRead ? 'put' : one.kind,
      version,
      sinceMs: one.endedMs,
      write: isRead ? undefined : one,
    });
  }
  return [...known.values()];
}

function keysOf(seen: readonly Seen[]): string[] {
  return [...new Set(seen.map(({ key }) => key))];
}

function describe({ kind, version, write, sinceMs }: Known): string {
  const how = write?.written === undefined ? 'read' : `${write.written.durability}, ${write.at}`;
  return `${kind} ${version} (${how}, known at ${sinceMs})`;
}

function describeRead({ key, at, source, endedMs }: ReadSeen): string {
  return `${at} (${source}) ${key} at ${endedMs}`;
}
