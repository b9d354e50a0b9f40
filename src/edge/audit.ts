import type { Call } from '../model/call.ts';
import type { KeyRange } from '../model/filter.ts';
import type { RecordKey } from '../model/key.ts';
import type { GetAnswer } from '../model/key-value.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { Record } from '../model/record.ts';
import { emptySession } from '../model/session.ts';
import { covers, coversPosition } from '../model/version-vector.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import { waitUntil } from '../runtime/wait-until.ts';
import { differs } from './audit-difference.ts';
import type { EdgeObserver } from './observer.ts';
import { beginning, type Part } from './part.ts';
import type { Upstreams } from './upstreams.ts';

export interface AuditBounds {
  /** Milliseconds between two looks. */
  readonly everyMs: number;
  /** Keys that one look compares, of each part: held ones, and of a copy as many that the upstream lists. */
  readonly keysMax: number;
  /** Milliseconds that one comparison may take, the wait for what the upstream covered included. */
  readonly patienceMs: number;
}

export interface AuditOptions {
  readonly audit: AuditBounds;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly clockSkewMsMax: number;
  readonly edgeObserver: EdgeObserver;
  readonly parts: () => readonly Part[];
}

/** Where the audit of one part stands. */
interface Hand {
  held: RecordKey | undefined;
  range: number;
  cursor: string | undefined;
}

/**
 * Compares, a few keys at a time, what an edge holds with what its upstream answers at a known vector: bits rot, and code
 * has bugs. What the upstream covered when it answered is waited for here, so that both speak of the same writes; where
 * anything else moved meanwhile, nothing is concluded. A difference is mended through the commit queue (rule R11): a copy
 * takes what the upstream holds, a cache forgets.
 */
export class Audit {
  readonly #options: AuditOptions;
  readonly #hands = new WeakMap<Part, Hand>();

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.#options.clock, this.#options.audit.everyMs, signal);
      await this.look(signal);
    }
  }

  /** Once over the next few keys of each part. What cannot be compared now is left to a later round. */
  async look(signal: AbortSignal): Promise<void> {
    for (const part of this.#options.parts()) {
      if (!part.hasCaughtUp || part.bound() === undefined) continue;
      const hand = this.#hands.get(part) ?? { held: undefined, range: 0, cursor: undefined };
      this.#hands.set(part, hand);
      const keys = [...(await this.#held(part, hand)), ...(await this.#listed(part, hand, signal).catch(() => []))];
      for (const key of keys) {
        // The upstream may be away, or the part be closed: then there is nothing to learn.
        await this.#compare(part, key, signal).catch(() => {});
        signal.throwIfAborted();
      }
    }
  }

  async #held(part: Part, hand: Hand): Promise<readonly RecordKey[]> {
    const { keysMax } = this.#options.audit;
    const { snapshot } = part.ledger.instant();
    try {
      for await (const page of snapshot.records(hand.held === undefined ? {} : { after: hand.held })) {
        const keys = page.filter(({ namespace }) => namespace !== registryNamespace).slice(0, keysMax);
        const last = keys.at(-1) ?? page.at(-1);
        if (last !== undefined) hand.held = { namespace: last.namespace, key: last.key };
        if (keys.length > 0) return keys.map(({ namespace, key }) => ({ namespace, key }));
      }
      hand.held = undefined;
      return [];
    } finally {
      await snapshot.close();
    }
  }

  /** Keys that a copy lacks although the upstream lists them. */
  async #listed(part: Part, hand: Hand, signal: AbortSignal): Promise<readonly RecordKey[]> {
    if (part.filter === undefined) return [];
    const ranges = part.filter.includes.flatMap((range) => this.#rangesOf(part, range));
    const range = ranges[hand.range % Math.max(1, ranges.length)];
    if (range === undefined) return [];
    const { keysMax } = this.#options.audit;
    const cursor = hand.cursor;
    hand.cursor = undefined;
    const { keys, cursor: next } = await this.#options.upstreams.ask(this.#call(signal), (upstream, call) =>
      upstream.list(
        { ...range, limit: keysMax, session: emptySession, ...(cursor === undefined ? {} : { cursor }) },
        call,
      ),
    );
    if (next === undefined) hand.range++;
    hand.cursor = next;
    const { namespace } = range;
    const heads = await part.ledger.store.heads(keys.map(({ key }) => ({ namespace, key })));
    return keys.filter((_, index) => heads[index] === undefined).map(({ key }) => ({ namespace, key }));
  }

  #rangesOf(part: Part, { namespace, prefix }: KeyRange) {
    if (namespace === registryNamespace) return [];
    if (namespace !== '*') return [{ namespace, prefix }];
    return part.ledger.registry.namespaces().map(({ id }) => ({ namespace: id, prefix: '' }));
  }

  async #compare(part: Part, key: RecordKey, signal: AbortSignal): Promise<void> {
    const { upstreams, clock, edgeObserver, clockSkewMsMax } = this.#options;
    const begun = beginning(part);
    const held = await part.ledger.store.read(key);
    const call = this.#call(signal);
    const request = { ...key, session: emptySession };
    const answer = await upstreams.ask(call, (upstream, asked) => upstream.get(request, asked));
    if (!covers(answer.covered, begun.known) || !spokenOf(answer, held)) return;
    const { ledger } = part;
    const caughtUp = () => covers(ledger.state.covered, answer.covered);
    if (!(await waitUntil(caughtUp, (run) => ledger.ring.onceChanged(run), { clock, ...call }))) return;
    // Of a namespace that was deleted meanwhile the feed shows no more; what is left goes in the background.
    if (ledger.registry.isDead(key.namespace)) return;
    const found = answer.record;
    if (found !== undefined && !coversPosition(ledger.state.covered, found.position)) return;
    const now = await ledger.store.read(key);
    if (now?.stamp !== held?.stamp || now?.kind !== held?.kind || part.generation() !== begun.generation) return;
    // What a cache does not hold it has forgotten meanwhile.
    if (part.kind === 'cache' && now === undefined) return;
    edgeObserver.audited(part.kind);
    if (!differs(now, found, clock.wallMs(), clockSkewMsMax)) return;
    const mended = await part.mend(key, now, found);
    edgeObserver.auditDiffered({ part: part.kind, key, held: now, found, responder: answer.responder, mended });
  }

  #call(signal: AbortSignal): Call {
    return { deadlineMs: this.#options.clock.monotonicMs() + this.#options.audit.patienceMs, signal };
  }
}

/** False where what is held here came by a write or a load that the responder may not have heard of. */
function spokenOf({ covered }: GetAnswer, held: Record | undefined): boolean {
  return held === undefined || held.position.sequence === 0 || coversPosition(covered, held.position);
}
