import type { LogId } from '../../../src/model/position.ts';
import type { Record } from '../../../src/model/record.ts';
import type { VersionVector } from '../../../src/model/version-vector.ts';
import type { Attempts } from './attempts.ts';
import type { History } from './history.ts';

/**
 * Conditions are decided at one origin at a time: whoever decides one for a key knows of every decision before it, of
 * those that were not lost with an origin, and were not its own on a disk that was put back since.
 */
export class Decisions {
  readonly #history: History;
  readonly #attempts: Attempts;
  readonly #made = new Map<string, Record[]>();
  /** What was decided without an earlier decision that seemed lost then. */
  readonly #apart: Array<{ readonly later: Record; readonly earlier: Record }> = [];

  constructor(history: History, attempts: Attempts) {
    this.#history = history;
    this.#attempts = attempts;
  }

  /** Records that an origin wrote by one commit, after which it covers that; says what it should have known. */
  complaints(records: readonly Record[], by: LogId, covered: VersionVector): string[] {
    const complaints: string[] = [];
    for (const record of records) {
      const { namespace, key } = record;
      const member = this.#history.logs.get(by)?.member;
      const isRemoved = member !== undefined && this.#history.isRemoved(member);
      if (isRemoved || this.#attempts.conditionOf(record) === undefined) continue;
      const name = `${namespace}/${key}`;
      const made = this.#made.get(name) ?? [];
      for (const earlier of made) {
        if (this.#history.knew(by, earlier, covered, record)) continue;
        // A home whose disk was put back serves at once, and has yet to hear what it decided since that image.
        if (this.#history.logs.get(earlier.position.log)?.member === member) continue;
        if (this.#survives(earlier)) complaints.push(complaint(record, earlier));
        else this.#apart.push({ later: record, earlier });
      }
      this.#made.set(name, [...made, record]);
    }
    return complaints;
  }

  /** Once everything is the same everywhere: decisions that were not lost after all, and were not known to later ones. */
  complaintsInTheEnd(): string[] {
    const apart = this.#apart.filter(({ later, earlier }) => this.#survives(later) && this.#survives(earlier));
    return apart.map(({ later, earlier }) => complaint(later, earlier));
  }

  #survives({ stamp }: Record): boolean {
    const version = this.#history.find(stamp);
    return version !== undefined && this.#history.isPromised(version);
  }
}

function complaint({ key, stamp }: Record, earlier: Record): string {
  return `${key}: ${stamp} was decided without the decision ${earlier.stamp}`;
}
