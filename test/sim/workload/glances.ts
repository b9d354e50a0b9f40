import { emptySession } from '../../../src/model/session.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import type { VirtualTime } from '../../support/virtual-time.ts';
import type { Coverage } from '../coverage.ts';
import type { Cluster } from '../nodes/cluster.ts';
import { complaintsOfGet } from '../oracles/answers.ts';
import { title } from '../oracles/disks.ts';
import type { Oracles } from '../oracles/oracles.ts';

export interface GlancesOptions {
  readonly time: VirtualTime;
  readonly cluster: Cluster;
  readonly oracles: Oracles;
  readonly coverage: Coverage;
  readonly keys: readonly string[];
}

/** Milliseconds from one glance to the next. */
const everyMs = 2;

/**
 * Reads of what nodes hold ready, which take no time: what is wrong for some milliseconds alone, between two commits say, users
 * that ask now and then would seldom meet.
 */
export class Glances {
  readonly #options: GlancesOptions;
  readonly #random: SeededRandom;

  constructor(options: GlancesOptions, seed: number) {
    this.#options = options;
    this.#random = new SeededRandom(seed ^ 0x61a9ce);
  }

  /** Until that moment. */
  begin(untilMs: number): void {
    const { time } = this.#options;
    time.at(everyMs, () => {
      if (time.nowMs > untilMs) return;
      this.#glance();
      this.begin(untilMs);
    });
  }

  #glance(): void {
    const { time, cluster, oracles, coverage, keys } = this.#options;
    const random = this.#random;
    const { node, name } = random.chance(0.2) ? random.pick(cluster.origins) : random.pick(cluster.edges);
    const key = random.pick(keys);
    const maxStalenessMs = random.pick([50, 60_000]);
    const answer = node?.peek({ namespace: title, key, session: emptySession, maxStalenessMs });
    if (answer === undefined) return;
    coverage.count(`glance, ${answer.source}`);
    const asked = {
      truthOf: oracles.truthOf.bind(oracles),
      startMs: time.nowMs,
      nowMs: time.nowMs,
      session: emptySession,
    };
    for (const line of complaintsOfGet(key, answer, asked))
      oracles.trace.violated(`a glance at ${name}: ${key} ${line}`);
  }
}
