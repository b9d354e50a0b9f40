import type { GetAnswer } from '../../src/model/key-value.ts';
import type { Record } from '../../src/model/record.ts';
import type { Stamp } from '../../src/model/stamp.ts';

/** A write as its author knows it; `stamp` is set once it was acknowledged. */
export interface Attempt {
  readonly key: string;
  /** Unset = a delete. */
  readonly text?: string;
  readonly expires: boolean;
  stamp?: Stamp;
  ackedMs?: number;
}

/** Milliseconds; bounds are compared with some air for rounding. */
const roundingMs = 1;

/** All that was ever written, and what is wrong with an answer. */
export class History {
  readonly attempts: Attempt[] = [];
  readonly violations: string[] = [];
  readonly trace: string[] = [];

  note(atMs: number, line: string): void {
    this.trace.push(`${atMs.toFixed(1).padStart(8)} ${line}`);
  }

  violated(atMs: number, line: string): void {
    this.note(atMs, `VIOLATED ${line}`);
    this.violations.push(line);
  }

  /** The latest write of the key that was acknowledged at or before this moment. */
  latest(key: string, beforeMs = Number.POSITIVE_INFINITY): Stamp | undefined {
    let latest: Stamp | undefined;
    for (const attempt of this.attempts) {
      if (attempt.key !== key || attempt.stamp === undefined || (attempt.ackedMs ?? 0) > beforeMs) continue;
      if (latest === undefined || attempt.stamp > latest) latest = attempt.stamp;
    }
    return latest;
  }

  /** True where the answer shows the write of this stamp or what came after it. */
  reflects(key: string, record: Record | undefined, required: Stamp | undefined): boolean {
    if (required === undefined) return true;
    if (record !== undefined) return record.stamp >= required;
    // Without a record the key must have been deleted, or have expired, and been purged since.
    return this.attempts.some(
      (attempt) =>
        attempt.key === key &&
        (attempt.stamp === undefined || attempt.stamp >= required) &&
        (attempt.text === undefined || attempt.expires),
    );
  }

  /** Honest bounds: whatever was committed before now − bound is in the answer; and nobody made up its value. */
  checkAnswer(atMs: number, where: string, key: string, answer: GetAnswer): void {
    const { record, bound } = answer;
    if (bound !== undefined) {
      const required = this.latest(key, atMs - bound.boundMs - roundingMs);
      if (!this.reflects(key, record, required)) {
        this.violated(
          atMs,
          `${where} ${key}: bound ${bound.boundMs} from ${answer.source} shows ${record?.stamp}, not ${required}`,
        );
      }
    }
    if (record?.kind === 'live') {
      const text = Buffer.from(record.value).toString();
      const author = this.attempts.find((attempt) => attempt.text === text && attempt.key === key);
      if (author === undefined) this.violated(atMs, `${where} ${key}: nobody wrote ${text}`);
    }
  }
}
