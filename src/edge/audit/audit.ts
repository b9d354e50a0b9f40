import type { RecordKey } from '../../model/key.ts';
import { registryNamespace } from '../../model/namespace.ts';
import { emptySession } from '../../model/session.ts';
import { sleep } from '../../runtime/clock.ts';
import type { Scope } from '../scope.ts';
import { auditCall } from './audit-call.ts';
import type { AuditOptions } from './audit-options.ts';
import { auditedRanges } from './audited-ranges.ts';
import { compareKey } from './compare-key.ts';
import { RangeAudit } from './range-audit.ts';

/** Where the audit of one scope stands. */
interface Hand {
  held: RecordKey | undefined;
  range: number;
  cursor: string | undefined;
}

/**
 * Compares what an edge holds with what its upstream holds at a known vector, at a low and bounded rate: bits rot, and
 * code has bugs. Some keys of each scope are compared one by one, and all of a copy by digests of ranges; keys that
 * differ there are then compared one by one too. A difference is repaired through the commit queue (rule R11): a copy
 * takes what the upstream holds, a cache forgets.
 */
export class Audit {
  readonly #options: AuditOptions;
  readonly #hands = new WeakMap<Scope, Hand>();
  readonly #ranges: RangeAudit;

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#ranges = new RangeAudit(options);
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.#options.clock, this.#options.audit.everyMs, signal);
      await this.look(signal);
    }
  }

  /** Looks at the next keys of each scope, and the next range of a copy. What cannot be compared is left to later. */
  async look(signal: AbortSignal): Promise<void> {
    for (const scope of this.#options.scopes()) {
      if (!scope.hasCaughtUp || scope.bound() === undefined) continue;
      const hand = this.#hands.get(scope) ?? { held: undefined, range: 0, cursor: undefined };
      this.#hands.set(scope, hand);
      // The upstream may be away, the store may be opened again, or the scope closed: then there is nothing to learn.
      const held = await this.#held(scope, hand).catch(() => []);
      const keys = [...held, ...(await this.#listed(scope, hand, signal).catch(() => []))];
      for (const key of keys) {
        await compareKey(scope, key, this.#options, signal).catch(() => {});
        signal.throwIfAborted();
      }
      await this.#ranges.look(scope, signal).catch(() => {});
      signal.throwIfAborted();
    }
  }

  async #held(scope: Scope, hand: Hand): Promise<readonly RecordKey[]> {
    const { keysMax } = this.#options.audit;
    const { snapshot } = scope.ledger.instant();
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

  /** Keys that the upstream lists and a copy does not hold. */
  async #listed(scope: Scope, hand: Hand, signal: AbortSignal): Promise<readonly RecordKey[]> {
    const ranges = auditedRanges(scope);
    const range = ranges[hand.range % Math.max(1, ranges.length)];
    if (range === undefined) return [];
    const { keysMax } = this.#options.audit;
    const cursor = hand.cursor;
    hand.cursor = undefined;
    const { keys, cursor: next } = await this.#options.upstreams.ask(
      auditCall(this.#options, signal),
      (upstream, call) =>
        upstream.list(
          { ...range, limit: keysMax, session: emptySession, ...(cursor === undefined ? {} : { cursor }) },
          call,
        ),
    );
    if (next === undefined) hand.range++;
    hand.cursor = next;
    const { namespace } = range;
    const heads = await scope.ledger.store.heads(keys.map(({ key }) => ({ namespace, key })));
    return keys.filter((_, index) => heads[index] === undefined).map(({ key }) => ({ namespace, key }));
  }
}
