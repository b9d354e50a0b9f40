import type { Durability as Level } from '../model/key-value.ts';
import type { MemberId, Position } from '../model/position.ts';
import { holds } from '../model/rules.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { Registry } from '../replication/registry.ts';
import type { Clock } from '../runtime/clock.ts';
import { waitUntil } from '../runtime/wait-until.ts';

export interface DurabilityOptions {
  readonly self: MemberId;
  readonly registry: Pick<Registry, 'members' | 'logs'>;
  readonly clock: Clock;
}

/** Milliseconds that a wait leaves for the answer to reach its caller: a tenth of the rest, within these bounds. */
const answerMsMin = 20;
const answerMsMax = 1000;

/** Counts the origins that have a write of this origin on disk, by what peers acknowledge with their probes. */
export class Durability {
  readonly #options: DurabilityOptions;
  /** What each peer said that it has on disk. */
  readonly #durable = new Map<MemberId, VersionVector>();
  #waiting = new Set<() => void>();

  constructor(options: DurabilityOptions) {
    this.#options = options;
  }

  acknowledged(peer: MemberId, durable: VersionVector): void {
    this.#durable.set(peer, durable);
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const run of waiting) run();
  }

  /** What a peer said last; unset = nothing yet. */
  of(peer: MemberId): VersionVector | undefined {
    return this.#durable.get(peer);
  }

  /**
   * Waits until the write at this position has reached the level, at most `timeoutMs` and not so long that the
   * answer would miss the deadline. Returns the level asked for, or the lower one that was reached meanwhile.
   */
  async reach(
    position: Position,
    level: Level,
    { timeoutMs, deadlineMs, signal }: { timeoutMs: number | undefined; deadlineMs: number; signal: AbortSignal },
  ): Promise<Level> {
    const { clock } = this.#options;
    if (this.#reached(position, level)) return level;
    const leftMs = deadlineMs - clock.monotonicMs();
    const waitMs = Math.min(timeoutMs ?? leftMs, leftMs - Math.min(answerMsMax, Math.max(answerMsMin, leftMs / 10)));
    const until = { clock, deadlineMs: clock.monotonicMs() + Math.max(0, waitMs), signal };
    const onAcknowledged = (run: () => void) => {
      this.#waiting.add(run);
      return () => this.#waiting.delete(run);
    };
    if (await waitUntil(() => this.#reached(position, level), onAcknowledged, until)) return level;
    return level === 'all' && this.#reached(position, 'majority') ? 'majority' : 'local';
  }

  #reached(position: Position, level: Level): boolean {
    if (level === 'local' || !holds('durability is counted')) return true;
    const { self, registry } = this.#options;
    // Members that still catch up too: they count as soon as they serve, which this origin hears only later.
    const members = registry.members.registered();
    const having = members.filter(({ id }) => {
      const durable = this.#durable.get(id);
      return id === self || (durable !== undefined && registry.logs.coversPosition(durable, position));
    });
    return having.length >= (level === 'all' ? members.length : majorityOf(members.length));
  }
}

export function majorityOf(members: number): number {
  return Math.floor(members / 2) + 1;
}
