import type { Call } from '../../model/call.ts';
import { compareKeys } from '../../model/key.ts';
import type { Mark, RangeDigest, RangeDigestRequest, Stretch } from '../../model/range-digest.ts';
import { covers, coversPosition } from '../../model/version-vector.ts';
import { takeStretch } from '../../replication/stretch.ts';
import { digestStretch, type StretchDigest } from '../../replication/stretch-digest.ts';
import { waitUntil } from '../../runtime/wait-until.ts';
import type { RangeOutcome } from '../observer.ts';
import type { Part } from '../part.ts';
import { auditCall } from './audit-call.ts';
import type { AuditOptions } from './audit-options.ts';
import { auditedRanges } from './audited-ranges.ts';
import { compareKey } from './compare-key.ts';
import { cursorNow } from './confirmed.ts';
import { expiryMarginMs } from './differs.ts';

/** Where the audit of one part stands: the range, and the key behind which it goes on. */
interface Hand {
  readonly range: number;
  readonly after: string | undefined;
}

/** Both sides of one stretch. */
interface Sides {
  readonly theirs: RangeDigest;
  readonly ours: StretchDigest;
}

interface Found {
  readonly outcome: RangeOutcome;
  /** Live records of the stretch. */
  readonly records: number;
  readonly through: string | undefined;
  readonly suspects: readonly string[];
}

/**
 * Compares all that a copy holds with its upstream, a stretch after the other, by one digest for each:
 *
 *     the copy takes its next 512 records: those behind `c`, up to `m`
 *     the upstream digests what it holds behind `c` up to `m`: 7f3a…, at the vector {o: 90}
 *     the copy, once it covers {o: 90}, digests the same: 7f3a…
 *
 * Both name the stretch by its ends and judge expiry at one second, far enough from now for every clock to call alive
 * what is digested. Equal digests are equal records. Digests that differ prove nothing: either side may hold what was
 * written since. So the stretch is asked for again with a mark of each record, and every key whose mark differs, unless
 * the upstream has yet to hear of it, is compared by itself, which alone concludes anything.
 */
export class RangeAudit {
  readonly #options: AuditOptions;
  readonly #hands = new WeakMap<Part, Hand>();

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** Once over the next stretch. What cannot be compared now is passed over, until the next time round. */
  async look(part: Part, signal: AbortSignal): Promise<void> {
    const hand = this.#hands.get(part) ?? { range: 0, after: undefined };
    const ranges = auditedRanges(part);
    const range = ranges[hand.range % Math.max(1, ranges.length)];
    if (range === undefined) return;
    const stretch = await this.#next(part, { ...range, ...(hand.after === undefined ? {} : { after: hand.after }) });
    this.#goOn(part, hand, stretch.through);
    const found = await this.#compared(part, stretch, auditCall(this.#options, signal)).catch(() => undefined);
    this.#options.edgeObserver.rangeAudited(found?.outcome ?? 'open', found?.records ?? 0);
    if (found === undefined) return;
    const taken = found.suspects.slice(0, this.#options.audit.suspectsMax);
    // Where there are more, the next look begins behind the last one that is compared now.
    this.#goOn(part, hand, taken.length < found.suspects.length ? taken.at(-1) : found.through);
    for (const key of taken) {
      await compareKey(part, { namespace: range.namespace, key }, this.#options, signal).catch(() => {});
      signal.throwIfAborted();
    }
  }

  async #next(part: Part, from: Stretch): Promise<Stretch> {
    const { rangeRecordsMax: recordsMax, rangeBytesMax: bytesMax } = this.#options.audit;
    const { snapshot } = part.ledger.instant();
    try {
      return (await takeStretch(snapshot, from, { recordsMax, bytesMax })).stretch;
    } finally {
      await snapshot.close();
    }
  }

  #goOn(part: Part, { range }: Hand, after: string | undefined): void {
    this.#hands.set(part, { range: after === undefined ? range + 1 : range, after });
  }

  async #compared(part: Part, stretch: Stretch, call: Call): Promise<Found | undefined> {
    const [second, cursor] = [this.#second(), cursorNow(part)];
    const sides = await this.#sidesOf(part, { ...stretch, second, marks: false, cursor }, call);
    if (sides === undefined) return undefined;
    const { theirs, ours } = sides;
    const end = { through: theirs.through, records: ours.records };
    if (ours.digest === theirs.digest) return { ...end, outcome: 'equal', suspects: [] };
    const marked = await this.#sidesOf(
      part,
      { ...endingAt(stretch, theirs.through), second, marks: true, cursor },
      call,
    );
    const suspects = marked === undefined ? [] : suspectsOf(marked);
    return { ...end, outcome: suspects.length > 0 ? 'suspect' : 'open', suspects };
  }

  /** So late that no clock within bounds can have reached it before both sides have looked. */
  #second(): number {
    const { clock, clockSkewMsMax, audit } = this.#options;
    return Math.ceil((clock.wallMs() + audit.patienceMs + clockSkewMsMax + expiryMarginMs) / 1000);
  }

  /** Undefined where the upstream is not caught up with in time, or so much came meanwhile that the ends differ. */
  async #sidesOf(part: Part, request: RangeDigestRequest, call: Call): Promise<Sides | undefined> {
    const { upstreams, clock, audit } = this.#options;
    const theirs = await upstreams.ask(call, (upstream, asked) => upstream.digestRange(request, asked));
    const { ledger } = part;
    const caughtUp = () => covers(ledger.state.covered, theirs.vector);
    if (!(await waitUntil(caughtUp, (run) => ledger.ring.onceChanged(run), { clock, ...call }))) return undefined;
    const { snapshot } = ledger.instant();
    try {
      // Room for what has come since the stretch was chosen.
      const bounds = { recordsMax: 2 * audit.rangeRecordsMax, bytesMax: 2 * audit.rangeBytesMax };
      const taken = await takeStretch(snapshot, endingAt(request, theirs.through), bounds);
      if (taken.stretch.through !== theirs.through) return undefined;
      return { theirs, ours: await digestStretch(taken, snapshot, request.second, call.signal) };
    } finally {
      await snapshot.close();
    }
  }
}

function endingAt({ namespace, prefix, after }: Stretch, through: string | undefined): Stretch {
  return {
    namespace,
    prefix,
    ...(after === undefined ? {} : { after }),
    ...(through === undefined ? {} : { through }),
  };
}

/** The keys of which the two sides do not hold the same, in record order, less those that the upstream has yet to hear of. */
function suspectsOf({ theirs, ours }: Sides): readonly string[] {
  const unheard = new Set<string>();
  for (const { key, position } of ours.marks) if (!coversPosition(theirs.vector, position)) unheard.add(key);
  const [held, found] = [hashesOf(ours.marks), hashesOf(theirs.marks)];
  const unlike = [...new Set([...held.keys(), ...found.keys()])].filter((key) => held.get(key) !== found.get(key));
  return unlike.filter((key) => !unheard.has(key)).sort(compareKeys);
}

function hashesOf(marks: readonly Mark[]): ReadonlyMap<string, string> {
  return new Map(marks.map(({ key, hash }) => [key, hash]));
}
