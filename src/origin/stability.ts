import type { MemberId, Position } from '../model/position.ts';
import { holds } from '../model/rules.ts';
import { covers, emptyVector, joinVectors, meetVectors, type VersionVector } from '../model/version-vector.ts';
import type { Ledger } from '../replication/ledger.ts';
import { majorityOf } from './durability.ts';

/**
 * What the other members told that they cover, each in its own feed and so after all that it sent before; and from that
 * the stable vector, which all of them cover (rule R19). A member that is away covers what it said last. A member not
 * heard of since this start covers nothing, as far as is known, and purging waits for it.
 */
export class Stability {
  readonly #ledger: Ledger;
  readonly #self: MemberId;
  readonly #told = new Map<MemberId, VersionVector>();
  readonly #changed = new Set<() => void>();

  constructor(ledger: Ledger, self: MemberId) {
    this.#ledger = ledger;
    this.#self = self;
  }

  /** A step adds to what the member told before; the end of a scan counts alone, as its disk may have been put back. */
  tell(member: MemberId, vector: VersionVector, kind: 'caught-up' | 'step'): void {
    const before = kind === 'step' ? (this.#told.get(member) ?? emptyVector) : emptyVector;
    this.#told.set(member, joinVectors(before, vector));
    for (const run of this.#changed) run();
  }

  /** What a member last said that it covers; unset = nothing since this start. */
  told(member: MemberId): VersionVector | undefined {
    return this.#told.get(member);
  }

  /** True once the member has told that it knows all members known here: until then it counts among fewer. */
  knowsMembers(member: MemberId): boolean {
    return this.#ledger.registry.members.areKnownTo(this.#told.get(member) ?? emptyVector);
  }

  /** True once all have told that they cover this place; or, with `most`, a majority that includes this member. */
  isCovered(at: Position, by: 'all' | 'most'): boolean {
    const { registry, state } = this.#ledger;
    const { logs } = registry;
    if (logs.coversPosition(state.stable, at)) return true;
    const others = this.others();
    const told = [state.covered, ...others.map((id) => this.#told.get(id) ?? emptyVector)];
    const needed = by === 'all' ? told.length : majorityOf(told.length);
    return told.filter((vector) => logs.coversPosition(vector, at)).length >= needed;
  }

  /** Calls `run` each time a member tells something, until the signal is aborted. */
  onChange(run: () => void, signal: AbortSignal): void {
    this.#changed.add(run);
    signal.addEventListener('abort', () => this.#changed.delete(run), { once: true });
  }

  /** The members that count (`Members.counted`), but for this one. */
  others(): MemberId[] {
    return [...this.#ledger.registry.members.counted()].filter((id) => id !== this.#self);
  }

  /** Brings the stable vector up to what was told. It never falls: a later member first covers its own admission. */
  async refresh(): Promise<void> {
    const { state } = this.#ledger;
    if (covers(state.stable, this.#met(state.covered))) return;
    await this.#ledger.submit({
      keys: [],
      sync: false,
      bytes: 0,
      decide: (view) => ({
        state: { stable: joinVectors(view.state.stable, this.#met(view.state.covered)) },
        result: undefined,
      }),
    });
  }

  #met(covered: VersionVector): VersionVector {
    const { logs } = this.#ledger.registry;
    const heard = this.others().filter((id) => this.#told.has(id) || holds('R19 who was not heard covers nothing'));
    const told = heard.map((id) => logs.unfold(this.#told.get(id) ?? emptyVector));
    return logs.fold(told.reduce(meetVectors, logs.unfold(covered)));
  }
}
