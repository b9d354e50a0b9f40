import { isMeridianError } from '../model/errors.ts';
import type { Upstream } from '../model/upstream.ts';
import type { Clock } from '../runtime/clock.ts';

export interface NamedUpstream {
  /** For status and logs: its address. */
  readonly name: string;
  readonly upstream: Upstream;
}

/**
 * The ordered list of upstreams. One that failed is passed over for a while, which grows with each failure in a row, so
 * that fail-back to an earlier one that flaps comes ever later. When all have failed, the one whose rest ends first.
 */
export class Upstreams {
  readonly #entries: Array<{ readonly named: NamedUpstream; failures: number; restsUntilMs: number }>;
  readonly #clock: Clock;
  readonly #restMs: number;
  readonly #restMsMax: number;

  constructor(upstreams: readonly NamedUpstream[], clock: Clock, rest: { firstMs: number; mostMs: number }) {
    this.#entries = upstreams.map((named) => ({ named, failures: 0, restsUntilMs: Number.NEGATIVE_INFINITY }));
    this.#clock = clock;
    this.#restMs = rest.firstMs;
    this.#restMsMax = rest.mostMs;
  }

  current(): NamedUpstream {
    const nowMs = this.#clock.monotonicMs();
    const ready = this.#entries.find((entry) => entry.restsUntilMs <= nowMs);
    const chosen = ready ?? this.#entries.toSorted((a, b) => a.restsUntilMs - b.restsUntilMs)[0];
    if (chosen === undefined) throw new Error('an edge has at least one upstream');
    return chosen.named;
  }

  /** True where none is known to be down. */
  get reachable(): boolean {
    return this.#entries.some(({ failures }) => failures === 0);
  }

  succeeded({ name }: NamedUpstream): void {
    for (const entry of this.#entries) if (entry.named.name === name) entry.failures = 0;
  }

  failed({ name }: NamedUpstream): void {
    for (const entry of this.#entries) {
      if (entry.named.name !== name) continue;
      const restMs = Math.min(this.#restMsMax, this.#restMs * 2 ** Math.min(entry.failures, 20));
      entry.failures++;
      entry.restsUntilMs = this.#clock.monotonicMs() + restMs;
    }
  }

  /** Runs a call once, at the current upstream, and tells how it went. */
  async call<T>(run: (upstream: Upstream) => Promise<T>): Promise<T> {
    return this.#callAt(this.current(), run);
  }

  /** Runs what may be run twice: where the current upstream is down, the next one is asked, each once at the most. */
  async ask<T>(run: (upstream: Upstream) => Promise<T>): Promise<T> {
    const asked = new Set<string>();
    for (;;) {
      const named = this.current();
      asked.add(named.name);
      try {
        return await this.#callAt(named, run);
      } catch (error) {
        if (!speaksOfUpstream(error) || asked.has(this.current().name)) throw error;
      }
    }
  }

  async #callAt<T>(named: NamedUpstream, run: (upstream: Upstream) => Promise<T>): Promise<T> {
    try {
      const result = await run(named.upstream);
      this.succeeded(named);
      return result;
    } catch (error) {
      if (speaksOfUpstream(error)) this.failed(named);
      throw error;
    }
  }
}

/** Only what speaks of the upstream itself counts against it: a refusal of one request does not. */
function speaksOfUpstream(error: unknown): boolean {
  return isMeridianError(error, 'UNAVAILABLE') && error.details.reason !== 'session-not-covered';
}
