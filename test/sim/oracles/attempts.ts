import type { Condition, Mutation } from '../../../src/model/key-value.ts';
import { registryNamespace } from '../../../src/model/namespace.ts';
import type { LogId } from '../../../src/model/position.ts';
import type { Record } from '../../../src/model/record.ts';
import type { Stamp } from '../../../src/model/stamp.ts';
import type { Trace } from './trace.ts';
import type { During, Truth } from './truth.ts';

/** A write as its author knows it, acknowledged or not: every value in it names the attempt and its place in the batch. */
export interface Attempt {
  readonly number: number;
  readonly mutations: readonly Mutation[];
}

/** All that was ever asked to be written, against which each commit of an origin is judged. */
export class Attempts {
  readonly #attempts: Attempt[] = [];
  readonly #lastSequences = new Map<LogId, number>();
  /** Written by commits of which every write is on a disk. */
  readonly #ofWholeCommits = new Set<Stamp>();

  /** `draw` is given the number, and writes it into the values with `signedValue`. */
  add(draw: (number: number) => readonly Mutation[]): Attempt {
    const number = this.#attempts.length;
    const attempt = { number, mutations: draw(number) };
    this.#attempts.push(attempt);
    return attempt;
  }

  /** What its author wanted of the key; undefined where that was nothing, or nobody can tell. */
  conditionOf(record: Record): Condition | undefined {
    if (record.namespace === registryNamespace || record.kind !== 'live') return undefined;
    const [number, index] = Buffer.from(record.value).toString().split('.').map(Number.parseFloat);
    return this.#attempts[number ?? -1]?.mutations[index ?? -1]?.condition;
  }

  /** False where it may have been decided on a write of its own commit that never was on a disk. */
  isOfWholeCommit(stamp: Stamp): boolean {
    return this.#ofWholeCommits.has(stamp);
  }

  /**
   * What an origin itself wrote in one commit: nobody made a value up, batches are whole, conditions held. In `all` of the
   * commit a peer's later write may stand in for one of a batch.
   */
  checkCommit(
    records: readonly Record[],
    {
      log,
      truth,
      trace,
      nowMs,
      decidedMs = nowMs - syncMsMax,
      all,
    }: {
      readonly log: LogId;
      readonly truth: Truth;
      readonly trace: Trace;
      readonly nowMs: number;
      /** When it was decided, at the earliest. Default: a sync before. */
      readonly decidedMs?: number;
      readonly all: readonly Record[];
    },
  ): void {
    const isWhole = this.#follows(all.filter(({ position }) => position.log === log));
    for (const record of records) {
      if (isWhole) this.#ofWholeCommits.add(record.stamp);
      if (record.namespace === registryNamespace || record.kind !== 'live') continue;
      const [number, index] = Buffer.from(record.value).toString().split('.').map(Number.parseFloat);
      const attempt = this.#attempts[number ?? -1];
      const mutation = attempt?.mutations[index ?? -1];
      if (attempt === undefined || mutation?.key !== record.key) {
        trace.violated(`${record.key}: nobody wrote ${record.stamp}`);
        continue;
      }
      const whole = attempt.mutations.every(({ key }) => all.some((other) => other.key === key));
      if (!whole) trace.violated(`batch ${attempt.number} reached the disk in part`);
      const held = truth.heldBefore(record);
      const right = held.some((version) =>
        mayHold(truth, mutation.condition, version?.record, { fromMs: decidedMs, toMs: nowMs }),
      );
      if (isWhole && attempt.mutations.length === 1 && !right) {
        const stamp = held[0]?.record.stamp;
        trace.violated(`${record.key}: the condition of ${attempt.number} did not hold against ${stamp}`);
      }
    }
  }

  /** False where writes were superseded within the same commit: what a condition was decided against never was on disk. */
  #follows(records: readonly Record[]): boolean {
    const [first] = records;
    if (first === undefined) return true;
    const { log } = first.position;
    const sequences = records.map(({ position }) => position.sequence).sort((a, b) => a - b);
    const last = this.#lastSequences.get(log) ?? 0;
    this.#lastSequences.set(log, sequences.at(-1) ?? last);
    return sequences.every((sequence, index) => sequence === last + index + 1);
  }
}

/** Milliseconds that lie between the decision and the commit, at the most: a sync. */
const syncMsMax = 20;

/** Starts every value, so that its author is found again. */
export function signedValue(number: number, index: number, bytes: number): Buffer {
  return Buffer.from(`${number}.${index}.`.padEnd(bytes, 'x'));
}

/** True where some clock may judge that the condition holds of what is held. */
export function mayHold(
  truth: Truth,
  condition: Condition | undefined,
  held: Record | undefined,
  during: During,
): boolean {
  if (condition === undefined) return true;
  if (condition.kind === 'absent') return truth.mayBeAbsent(held, during);
  return held?.stamp === condition.version && truth.mayBeReadable(held, during);
}

/** True where a condition may be refused against this record, and what was said to be found is that record. */
export function mayRefuse(
  truth: Truth,
  { condition, found }: { readonly condition: Condition | undefined; readonly found: string | undefined },
  held: Record | undefined,
  during: During,
): boolean {
  if (found === undefined) return condition?.kind === 'version' && truth.mayBeAbsent(held, during);
  if (held?.stamp !== found || !truth.mayBeReadable(held, during)) return false;
  return condition?.kind === 'absent' || condition?.version !== found;
}
