import { registryNamespace } from '../model/namespace.ts';
import type { Record } from '../model/record.ts';
import type { VersionVector } from '../model/version-vector.ts';
import { holdsBeyondFinal } from '../replication/holds-beyond-final.ts';
import type { LostLife } from '../replication/lost-lives.ts';
import { type Membership, membershipKeys, type Retirement } from '../replication/membership.ts';
import { type Registering, registryPuts } from './founding.ts';

/** Records of one commit, and bytes of their values: whichever is reached first ends it. */
const pageRecords = 256;
const pageBytes = 4 * 1024 * 1024;

/**
 * What an origin does on hearing of a retirement (rule R23): it claims the retired origin's log up to the final sequence
 * alone, takes what it holds beyond into its own log, stamps kept, and publishes where that ended. Interrupted, it goes
 * on where it was: what is adopted no longer stands in the retired origin's log.
 */
export class Adoption {
  readonly #registering: Registering;

  constructor(registering: Registering) {
    this.#registering = registering;
  }

  /**
   * The retirements that this origin has yet to do its part for: it has not published the end of its adoption, or it
   * claims more than is left. The latter befalls also one that was registered later, and learnt from somebody who had not
   * heard of the retirement.
   */
  open(): readonly Retirement[] {
    const { covered, floor } = this.#registering.ledger.state;
    return this.#membership.retirements().filter((retirement) => {
      const claims = (covered.get(retirement.id) ?? 0) > retirement.final;
      return claims || this.#mustPublish(retirement) || hasPurgedBeyond(retirement, floor);
    });
  }

  /** The same, and those beyond whose final sequence something is held that is not covered yet. */
  async left(): Promise<readonly Retirement[]> {
    const open = this.open();
    if (open.length > 0 || !(await holdsBeyondFinal(this.#registering.ledger))) return open;
    return this.#membership.retirements();
  }

  async adopt(retirement: Retirement, signal: AbortSignal): Promise<void> {
    await this.#lower();
    await this.#takeAll({ origin: retirement.id, from: retirement.final + 1 }, signal);
    const { floor } = this.#registering.ledger.state;
    if (this.#mustPublish(retirement) || hasPurgedBeyond(retirement, floor)) await this.#publish(retirement);
  }

  /** What is held from a life of another origin's disk that was lost: that origin goes on, and writes in its places. */
  async takeLost(lost: readonly LostLife[]): Promise<void> {
    for (const life of lost) await this.#takeAll(life);
  }

  async #takeAll(life: LostLife, signal?: AbortSignal): Promise<void> {
    for (let page = await this.#beyond(life); page.length > 0; page = await this.#beyond(life)) {
      signal?.throwIfAborted();
      await this.#take(page);
    }
  }

  get #membership(): Membership {
    return this.#registering.ledger.registry.membership;
  }

  #mustPublish({ id, adopters }: Retirement): boolean {
    const { self } = this.#registering;
    return adopters.includes(self) && this.#membership.adoptionEnd(id, self) === undefined;
  }

  async #lower(): Promise<void> {
    const { ledger } = this.#registering;
    const within = (vector: typeof ledger.state.covered) => this.#membership.withinFinal(vector);
    await ledger.submit({
      keys: [],
      sync: true,
      bytes: 0,
      decide: ({ state: { covered, settled } }) => ({
        state: { covered: within(covered), settled: within(settled) },
        result: undefined,
      }),
    });
  }

  async #beyond({ origin, from }: LostLife): Promise<readonly Record[]> {
    const { snapshot } = this.#registering.ledger.instant();
    const records: Record[] = [];
    let bytes = 0;
    try {
      for await (const page of snapshot.log(origin, from)) {
        for (const stored of page) {
          const record = await snapshot.read(stored);
          if (record === undefined) continue;
          records.push(record);
          bytes += record.kind === 'live' ? record.value.byteLength : 0;
          if (records.length >= pageRecords || bytes >= pageBytes) return records;
        }
      }
      return records;
    } finally {
      await snapshot.close();
    }
  }

  /** Each record that is still held as it was read takes a place of this origin's own. */
  async #take(records: readonly Record[]): Promise<void> {
    const { ledger, self, settlement } = this.#registering;
    await ledger.submit({
      keys: records,
      sync: true,
      bytes: records.reduce((sum, record) => sum + 128 + (record.kind === 'live' ? record.value.byteLength : 0), 0),
      decide: (view) => {
        let sequence = view.state.covered.get(self) ?? 0;
        const puts = records.flatMap((record): Record[] => {
          const held = view.head(record);
          if (held?.stamp !== record.stamp || held.position.sequence !== record.position.sequence) return [];
          if (held.kind !== record.kind) return []; // It expired in between, and is read again.
          sequence++;
          return [{ ...record, position: { origin: self, sequence } }];
        });
        const covered = new Map(view.state.covered).set(self, sequence);
        return { puts, state: { covered, settled: settlement.after(covered, view.state.settled) }, result: undefined };
      },
    });
  }

  /**
   * What was purged beyond the final sequence nobody can be told of any more: from the end of the adoption on, whoever
   * does not cover that takes everything anew (rule R8).
   */
  async #publish(retirement: Retirement): Promise<void> {
    const { ledger, self } = this.#registering;
    const key = membershipKeys.adopted(retirement.id, self);
    await ledger.submit({
      keys: [{ namespace: registryNamespace, key }],
      sync: true,
      bytes: 256,
      decide: (view) => {
        const end = (view.state.covered.get(self) ?? 0) + 1;
        const decided = registryPuts(this.#registering, [[key, { end }]], view);
        if (!hasPurgedBeyond(retirement, view.state.floor)) return { ...decided, result: undefined };
        const floor = new Map(view.state.floor).set(retirement.id, retirement.final).set(self, end);
        return { ...decided, state: { ...decided.state, floor }, result: undefined };
      },
    });
  }
}

function hasPurgedBeyond({ id, final }: Retirement, floor: VersionVector): boolean {
  return (floor.get(id) ?? 0) > final;
}
