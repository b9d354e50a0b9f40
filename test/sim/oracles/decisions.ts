import type { OriginId } from '../../../src/model/position.ts';
import type { Record } from '../../../src/model/record.ts';
import type { Attempts } from './attempts.ts';
import type { History } from './history.ts';

/**
 * Conditions are decided at one origin at a time: whoever decides one for a key knows of every decision before it, of
 * those that were not lost with an origin.
 */
export class Decisions {
  readonly #history: History;
  readonly #attempts: Attempts;
  readonly #made = new Map<string, Record[]>();

  constructor(history: History, attempts: Attempts) {
    this.#history = history;
    this.#attempts = attempts;
  }

  /** Records that an origin wrote by one commit; says what it should have known. */
  complaints(records: readonly Record[], by: OriginId): string[] {
    const complaints: string[] = [];
    for (const record of records) {
      const { namespace, key, stamp } = record;
      if (this.#history.isRetired(by) || this.#attempts.conditionOf(record) === undefined) continue;
      const name = `${namespace}/${key}`;
      const made = this.#made.get(name) ?? [];
      for (const earlier of made) {
        const version = this.#history.find(earlier.stamp);
        if (version === undefined || !this.#history.survives(version)) continue;
        if (this.#history.hasReached(by, earlier)) continue;
        complaints.push(`${key}: ${stamp} was decided without the decision ${earlier.stamp}`);
      }
      this.#made.set(name, [...made, record]);
    }
    return complaints;
  }
}
