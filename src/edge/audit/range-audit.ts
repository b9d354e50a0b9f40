import type { Call } from '../../model/call.ts';
import { compareKeys } from '../../model/key.ts';
import type { DigestedRange, KeyHash, RangeDigest, RangeDigestRequest } from '../../model/range-digest.ts';
import { digestTaken, type HeldDigest, takeRange } from '../../replication/anti-entropy/range.ts';
import type { Logs } from '../../replication/logs.ts';
import { waitUntil } from '../../runtime/wait-until.ts';
import type { RangeOutcome } from '../observer.ts';
import type { Scope } from '../scope.ts';
import { auditCall } from './audit-call.ts';
import type { AuditOptions } from './audit-options.ts';
import { auditedRanges } from './audited-ranges.ts';
import { compareKey } from './compare-key.ts';
import { expiryMarginMs } from './differs.ts';

/** Where the audit of one scope stands: the range, and the key after which it goes on. */
interface Hand {
  readonly range: number;
  readonly after: string | undefined;
}

/** Both sides of one range. */
interface Sides {
  readonly theirs: RangeDigest;
  readonly ours: HeldDigest;
}

interface Found {
  readonly outcome: RangeOutcome;
  /** Live records of the range. */
  readonly records: number;
  readonly through: string | undefined;
  readonly suspects: readonly string[];
}

/**
 * Compares all that a copy holds with its upstream, one range after another, by one digest for each:
 *
 *     the copy takes its next 512 records: those behind `c`, up to `m`
 *     the upstream digests what it holds behind `c` up to `m`: 7f3a…, at the vector {o: 90}
 *     the copy, once it covers {o: 90}, digests the same: 7f3a…
 *
 * Both sides name the range by its ends. They judge expiry at the same second, so far ahead that whatever is digested
 * is alive by every clock. Equal digests mean equal records. Different digests prove nothing: either side may hold
 * later writes. So the range is asked for again with a hash of each record. Every key whose hash differs is then
 * compared by itself, which alone concludes anything; a key of which the upstream has not heard yet is left out.
 */
export class RangeAudit {
  readonly #options: AuditOptions;
  readonly #hands = new WeakMap<Scope, Hand>();

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** Looks at the next range. A range that cannot be compared now is skipped until the next time round. */
  async look(scope: Scope, signal: AbortSignal): Promise<void> {
    const hand = this.#hands.get(scope) ?? { range: 0, after: undefined };
    const ranges = auditedRanges(scope);
    const range = ranges[hand.range % Math.max(1, ranges.length)];
    if (range === undefined) return;
    const next = await this.#next(scope, { ...range, ...(hand.after === undefined ? {} : { after: hand.after }) });
    this.#goOn(scope, hand, next.through);
    const found = await this.#compared(scope, next, auditCall(this.#options, signal)).catch(() => undefined);
    this.#options.edgeObserver.rangeAudited(found?.outcome ?? 'open', found?.records ?? 0);
    if (found === undefined) return;
    const taken = found.suspects.slice(0, this.#options.audit.suspectsMax);
    // If there are more, the next look begins after the last key that is compared now.
    this.#goOn(scope, hand, taken.length < found.suspects.length ? taken.at(-1) : found.through);
    for (const key of taken) {
      await compareKey(scope, { namespace: range.namespace, key }, this.#options, signal).catch(() => {});
      signal.throwIfAborted();
    }
  }

  async #next(scope: Scope, from: DigestedRange): Promise<DigestedRange> {
    const { rangeRecordsMax: recordsMax, rangeBytesMax: bytesMax } = this.#options.audit;
    const { snapshot } = scope.ledger.instant();
    try {
      return (await takeRange(snapshot, from, { recordsMax, bytesMax })).range;
    } finally {
      await snapshot.close();
    }
  }

  #goOn(scope: Scope, { range }: Hand, after: string | undefined): void {
    this.#hands.set(scope, { range: after === undefined ? range + 1 : range, after });
  }

  async #compared(scope: Scope, range: DigestedRange, call: Call): Promise<Found | undefined> {
    const second = this.#second();
    const sides = await this.#sidesOf(scope, { ...range, second, hashes: false }, call);
    if (sides === undefined) return undefined;
    const { theirs, ours } = sides;
    const end = { through: theirs.through, records: ours.records };
    if (ours.digest === theirs.digest) return { ...end, outcome: 'equal', suspects: [] };
    const hashed = await this.#sidesOf(scope, { ...endingAt(range, theirs.through), second, hashes: true }, call);
    const suspects = hashed === undefined ? [] : suspectsOf(hashed, scope.ledger.registry.logs);
    return { ...end, outcome: suspects.length > 0 ? 'suspect' : 'open', suspects };
  }

  /** So late that no clock within bounds can reach it before both sides have looked. */
  #second(): number {
    const { expiryClock, clockSkewMsMax, audit } = this.#options;
    return Math.ceil((expiryClock.nowMs() + audit.patienceMs + clockSkewMsMax + expiryMarginMs) / 1000);
  }

  /** Undefined if the scope does not catch up with the upstream in time, or so much came that the ends differ. */
  async #sidesOf(scope: Scope, request: RangeDigestRequest, call: Call): Promise<Sides | undefined> {
    const { upstreams, clock, audit } = this.#options;
    const theirs = await upstreams.ask(call, (upstream, asked) => upstream.digestRange(request, asked));
    const { ledger } = scope;
    const { logs } = ledger.registry;
    const caughtUp = () => logs.covers(ledger.state.covered, theirs.vector);
    if (!(await waitUntil(caughtUp, (run) => ledger.ring.onceChanged(run), { clock, ...call }))) return undefined;
    const { snapshot } = ledger.instant();
    try {
      // Room for what has come since the range was chosen.
      const bounds = { recordsMax: 2 * audit.rangeRecordsMax, bytesMax: 2 * audit.rangeBytesMax };
      const taken = await takeRange(snapshot, endingAt(request, theirs.through), bounds);
      if (taken.range.through !== theirs.through) return undefined;
      return { theirs, ours: await digestTaken(taken, snapshot, request.second, call.signal) };
    } finally {
      await snapshot.close();
    }
  }
}

function endingAt({ namespace, prefix, after }: DigestedRange, through: string | undefined): DigestedRange {
  return {
    namespace,
    prefix,
    ...(after === undefined ? {} : { after }),
    ...(through === undefined ? {} : { through }),
  };
}

/** The keys on which the two sides differ, in record order, without those that the upstream has not heard of yet. */
function suspectsOf({ theirs, ours }: Sides, logs: Logs): readonly string[] {
  const unheard = new Set<string>();
  for (const { key, position } of ours.hashes) if (!logs.coversPosition(theirs.vector, position)) unheard.add(key);
  const [held, found] = [byKey(ours.hashes), byKey(theirs.hashes)];
  const unlike = [...new Set([...held.keys(), ...found.keys()])].filter((key) => held.get(key) !== found.get(key));
  return unlike.filter((key) => !unheard.has(key)).sort(compareKeys);
}

function byKey(hashes: readonly KeyHash[]): ReadonlyMap<string, string> {
  return new Map(hashes.map(({ key, hash }) => [key, hash]));
}
