import { type AuditDifference, type EdgeObserver, silentEdgeObserver } from '../../src/edge/observer.ts';
import { type OriginObserver, silentOriginObserver } from '../../src/origin/observer.ts';
import { type ReplicationObserver, silentReplicationObserver } from '../../src/replication/observer.ts';

/** The audit of an edge found what is held to differ from its upstream: never, under any fault of ours. */
export const auditDifference = 'audit found a difference';

/** How often what the rules are about has happened: faults that never reach a rule prove nothing about it. */
export class Coverage {
  readonly #counts = new Map<string, number>();
  /** Told of each difference that an audit finds. */
  onDifference: (difference: AuditDifference) => void = () => {};

  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  count(name: string, more = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + more);
  }

  add(other: Coverage): void {
    for (const [name, count] of other.counts) this.count(name, count);
  }

  replication(role: 'origin' | 'edge'): ReplicationObserver {
    return {
      ...silentReplicationObserver,
      scanStarted: (kind) => this.count(`scan of ${kind}`),
      followerFellBehind: () => this.count('follower fell out of the ring'),
      resyncSent: (reason) => this.count(`resync ${reason}`),
      commitFailed: () => this.count(`commit failed at ${role}`),
      expired: (records) => this.count(`expired in place at ${role}`, records),
      purged: (records) => this.count(`purged at ${role}`, records),
    };
  }

  origin(): OriginObserver {
    return {
      ...silentOriginObserver,
      written: (outcome) => this.count(`write ${outcome}`),
    };
  }

  edge(): EdgeObserver {
    return {
      ...silentEdgeObserver,
      read: (kind, source, outcome) => this.count(`${kind} from ${source}${outcome === 'past' ? ', past' : ''}`),
      loadEnded: (outcome) => this.count(`load ${outcome}`),
      loadJoined: () => this.count('load joined'),
      evicted: (from, entries) => this.count(`evicted from ${from}`, entries),
      audited: (scope) => this.count(`audited in a ${scope}`),
      rangeAudited: (outcome) => this.count(`audited a range: ${outcome}`),
      auditDiffered: (difference) => {
        this.count(auditDifference);
        this.onDifference(difference);
      },
    };
  }

  /** One line a counter, by name. */
  lines(seeds: number): string[] {
    return [...this.#counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(
        ([name, count]) =>
          `${name.padEnd(40)} ${String(count).padStart(10)} ${(count / seeds).toFixed(3).padStart(10)} a seed`,
      );
  }
}
