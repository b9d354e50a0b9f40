import { isMeridianError, MeridianError, toMeridianError } from '../model/errors.ts';
import type { FollowOpen } from '../model/feed.ts';
import { registryRange } from '../model/filter.ts';
import { mapKey, type RecordKey } from '../model/key.ts';
import { namespaceIdIn, registryNamespace } from '../model/namespace.ts';
import { isAt, type MemberId, type Position } from '../model/position.ts';
import type { Record } from '../model/record.ts';
import { holds } from '../model/rules.ts';
import { laterStamp } from '../model/stamp.ts';
import { strangerOf } from '../model/stranger.ts';
import { emptyVector, joinVectors, type VersionVector, withPosition } from '../model/version-vector.ts';
import { Ledger } from '../replication/ledger.ts';
import { decodeLedgerState, encodeLedgerState, ledgerStateName } from '../replication/ledger-state.ts';
import { Registry } from '../replication/registry.ts';
import { placesOf, unlessDamaged, withDamaged } from '../replication/with-damaged.ts';
import { sleep } from '../runtime/clock.ts';
import { silence } from '../runtime/silence.ts';
import type { Store } from '../store/store.ts';
import { readIdentity } from './membership/identity.ts';
import type { OriginOptions } from './origin-options.ts';

/*
 * The registry is read whole before an origin does anything: half of it would not know namespaces, or who belongs to
 * the cluster. If records of it are damaged, the origin first asks its peers for their registries, as a cache does, and
 * takes only what stands for the damaged records:
 *
 *     damaged here    member/b at (l, 9)
 *     a peer sends    its registry, and covers {l: 12}
 *                     member/b at (l, 9): that write is whole again; or at (m, 4): the later one takes its place
 *                     no member/b: it was a deletion, which is purged there; it goes here too, and the floor rises to it. Of a
 *                     namespace/n what this origin still holds of n goes before it: nothing would tell that n is over
 *     a peer that covers {l: 8} has not seen it: it says nothing of that record, unless it holds that very write: the end of
 *     the scan which brought it may have waited for this origin
 */

/** Milliseconds that one peer has for its registry. */
const askMs = 10_000;
/** Milliseconds between rounds. */
const restMs = 1000;
/** Damaged records that an error names, at the most. */
const namedMax = 5;

/** Reported while an origin starts whose registry is damaged. */
export type RegistryRepair =
  | { readonly kind: 'asking'; readonly keys: readonly string[]; readonly addresses: readonly string[] }
  | { readonly kind: 'repaired' | 'dropped'; readonly keys: readonly string[] };

interface DamagedKey {
  readonly key: string;
  /** Unset if the position is lost as well. */
  readonly position: Position | undefined;
}

/** A registry, as far as it can be read, and what its node covers. */
interface KnownRegistry {
  readonly records: ReadonlyMap<string, Record>;
  readonly registry: Registry;
  readonly covered: VersionVector;
}

/**
 * Opens the ledger of an origin's store. If its registry is damaged, mends it from the other origins first.
 * @throws DATA_LOSS (`registry-damaged`) if no other origin is known, or none gives the records in time
 */
export async function openLedger(options: OriginOptions): Promise<Ledger> {
  const { store } = options.stores;
  try {
    return await Ledger.open({ ...options, store });
  } catch (error) {
    const repair = isMeridianError(error, 'DATA_LOSS') ? await RegistryRepairs.begin(options) : undefined;
    if (repair === undefined) throw error;
    await repair.run();
    return Ledger.open({ ...options, store });
  }
}

class RegistryRepairs {
  readonly #options: OriginOptions;
  readonly #store: Store;
  readonly #own: KnownRegistry;
  readonly #addresses: readonly string[];
  #damaged: readonly DamagedKey[];
  readonly #failures = new Map<string, string>();

  private constructor(
    options: OriginOptions,
    own: KnownRegistry,
    found: { readonly damaged: readonly DamagedKey[]; readonly addresses: readonly string[] },
  ) {
    this.#options = options;
    this.#store = options.stores.store;
    this.#own = own;
    this.#damaged = found.damaged;
    this.#addresses = found.addresses;
  }

  /** Undefined if nothing of the registry is damaged. */
  static async begin(options: OriginOptions): Promise<RegistryRepairs | undefined> {
    const { store } = options.stores;
    const { records, damaged } = await readRegistry(store);
    if (damaged.length === 0) return undefined;
    const registry = new Registry();
    for (const record of records.values()) registry.apply(record);
    const { covered } = decodeLedgerState(await store.meta(ledgerStateName));
    const addresses = await addressesOf(registry, options);
    return new RegistryRepairs(options, { records, registry, covered }, { damaged, addresses });
  }

  async run(): Promise<void> {
    const { clock, acceptLoss, registryRepair, registryRepairMsMax } = this.#options;
    const keys = this.#damaged.map(({ key }) => key);
    const untilMs = clock.monotonicMs() + registryRepairMsMax;
    if (this.#addresses.length > 0) registryRepair({ kind: 'asking', keys, addresses: this.#addresses });
    while (this.#addresses.length > 0 && this.#damaged.length > 0) {
      for (const address of this.#addresses) await this.#mendFrom(address);
      if (clock.monotonicMs() >= untilMs) break;
      if (this.#damaged.length > 0) await sleep(clock, restMs, new AbortController().signal);
    }
    const left = this.#damaged.map(({ key }) => key);
    const repaired = keys.filter((key) => !left.includes(key));
    if (repaired.length > 0) registryRepair({ kind: 'repaired', keys: repaired });
    if (left.length === 0) return;
    if (acceptLoss !== true) throw this.#refusal();
    await this.#commit([], this.#damaged, emptyVector);
    registryRepair({ kind: 'dropped', keys: left });
  }

  /** @throws if this node's store fails: asking others again would not help */
  async #mendFrom(address: string): Promise<void> {
    if (this.#damaged.length === 0) return;
    const open = await this.#open();
    const peer = await this.#ask(address, open).catch((error: unknown) => {
      this.#failures.set(address, toMeridianError(error).message);
    });
    if (peer === undefined) return;
    const told = this.#damaged.filter((damaged) => this.#speaksOf(peer, damaged));
    const found = told.flatMap(({ key }) => peer.records.get(key) ?? []);
    const puts = found.filter(({ position }) => !this.#own.registry.logs.isBeyond(position));
    const absent = told.filter(({ key }) => !peer.records.has(key));
    const floor = absent.reduce(
      (vector, { position }) => (position ? withPosition(vector, position) : vector),
      emptyVector,
    );
    for (const { key } of absent) await this.#removeData(key);
    const mended = new Set([...puts, ...absent].map(({ key }) => key));
    this.#failures.set(address, `it lacks ${this.#damaged.length - mended.size} of them`);
    if (mended.size > 0) await this.#commit(puts, absent, floor);
    this.#damaged = this.#damaged.filter(({ key }) => !mended.has(key));
  }

  /** Of a namespace that was deleted. The others purged its deletion as this origin covered it, if not yet by its deeds. */
  async #removeData(key: string): Promise<void> {
    const namespace = namespaceIdIn(key);
    if (namespace === undefined || !holds('R18 the data go')) return;
    const snapshot = this.#store.snapshot();
    try {
      let discards: RecordKey[] = [];
      const remove = async (page: readonly RecordKey[]): Promise<void> => {
        const removals = (await this.#store.heads(page)).filter((head) => head !== undefined);
        await this.#store.commit({ puts: [], removals, discards, meta: new Map(), sync: false });
        discards = [];
      };
      const onDamaged = (damaged: RecordKey) => discards.push({ namespace, key: damaged.key });
      for await (const page of snapshot.records({ namespace }, onDamaged)) await remove(page);
      await remove([]); // Damaged records may have come last.
    } finally {
      await snapshot.close();
    }
  }

  /** Whether a peer's record, or the lack of it, stands for the damaged one: the peer has seen that write. */
  #speaksOf({ records, registry, covered }: KnownRegistry, { key, position }: DamagedKey): boolean {
    if (position === undefined) return registry.logs.covers(covered, this.#own.covered);
    const held = records.get(key);
    return registry.logs.coversPosition(covered, position) || (held !== undefined && isAt(held.position, position));
  }

  /** The registry of the origin at that address. */
  async #ask(address: string, open: FollowOpen): Promise<KnownRegistry> {
    const { clock } = this.#options;
    const { upstream, close } = this.#options.connect(address);
    const ending = new AbortController();
    const timer = clock.timer(askMs, () => ending.abort(silent(address)));
    try {
      const records = new Map<string, Record>();
      const registry = new Registry();
      for await (const event of upstream.follow(open, silence(ending.signal), ending.signal)) {
        if (event.kind === 'opened') this.#checkPeer(event.node);
        if (event.kind === 'caught-up') return { records, registry, covered: event.vector };
        if (event.kind !== 'changes') continue;
        for (const record of event.records) {
          if (record.kind === 'announcement' || record.namespace !== registryNamespace) continue;
          records.set(record.key, record);
          registry.apply(record);
        }
      }
      throw silent(address);
    } finally {
      timer.cancel();
      ending.abort();
      close();
    }
  }

  #checkPeer({ role, id, name }: { readonly role: string; readonly id: string; readonly name: string }): void {
    if (role === 'origin' && !this.#own.registry.members.isRemoved(id as MemberId)) return;
    throw new MeridianError('FAILED_PRECONDITION', `${name} is no origin of this cluster`, { reason: 'not-an-origin' });
  }

  async #open(): Promise<FollowOpen> {
    const identity = await readIdentity(this.#store);
    return {
      ...strangerOf(this.#options, this.#options.random),
      ...(identity?.clusterId === undefined ? {} : { clusterId: identity.clusterId }),
      role: 'cache',
      filter: { includes: [registryRange], excludes: [] },
      values: { kind: 'all' },
      start: { kind: 'nothing' },
    };
  }

  /** Puts these in the place of the damaged records. What was seen counts for the clock (rule R15). */
  async #commit(puts: readonly Record[], gone: readonly DamagedKey[], floor: VersionVector): Promise<void> {
    const state = decodeLedgerState(await this.#store.meta(ledgerStateName));
    const highWater = puts.reduce((high, { stamp }) => laterStamp(high, stamp), state.highWater);
    const after = { ...state, highWater, floor: joinVectors(state.floor, floor) };
    await this.#store.commit({
      puts: puts.map((record) => ({ record, held: undefined })),
      removals: [],
      discards: gone.map(({ key }) => ({ namespace: registryNamespace, key })),
      meta: new Map([[ledgerStateName, encodeLedgerState(after)]]),
      sync: true,
    });
  }

  #refusal(): MeridianError {
    const count = this.#damaged.length;
    const named = this.#damaged.slice(0, namedMax).map(({ key }) => JSON.stringify(key));
    const more = count > namedMax ? `, and ${count - namedMax} more` : '';
    const asked = [...this.#failures].map(([address, why]) => `${address}: ${why}`);
    const nobody =
      asked.length === 0 ? 'no other origin is known that could have them' : `none gave them (${asked.join('; ')})`;
    return new MeridianError(
      'DATA_LOSS',
      `${count} records of the registry (namespaces, members, tokens) are damaged: ${named.join(', ')}${more}; ${nobody}. ` +
        'Ways on: name an origin that has them with --peer; put a backup of the folder in its place; save what can be read with ' +
        'meridian check --salvage, and start with an empty folder; or go on without them with --accept-loss',
      { reason: 'registry-damaged', seen: count },
    );
  }
}

async function readRegistry(
  store: Store,
): Promise<{ readonly records: ReadonlyMap<string, Record>; readonly damaged: readonly DamagedKey[] }> {
  const snapshot = store.snapshot();
  try {
    const records = new Map<string, Record>();
    const damaged: DamagedKey[] = [];
    for await (const stored of withDamaged(snapshot, { namespace: registryNamespace })) {
      const { key, position } = stored;
      const record = stored.kind === 'damaged' ? 'damaged' : await snapshot.read(stored).catch(unlessDamaged);
      if (record === 'damaged') damaged.push({ key, position });
      else if (record !== undefined) records.set(key, record);
    }
    if (damaged.every(({ position }) => position !== undefined)) return { records, damaged };
    const places = await placesOf(snapshot);
    const placed = damaged.map(({ key, position = places.get(mapKey(registryNamespace, key)) }) => ({ key, position }));
    return { records, damaged: placed };
  } finally {
    await snapshot.close();
  }
}

/** The addresses of the other origins: configured, remembered, and by what can be read of the registry. */
async function addressesOf(
  registry: Registry,
  { peers, address: own, stores }: OriginOptions,
): Promise<readonly string[]> {
  const identity = await readIdentity(stores.store);
  const others = registry.members.registered().filter(({ id }) => id !== identity?.id);
  const registered = others.map(({ address }) => address);
  const all = [...peers, ...(identity?.peers ?? []), ...registered];
  return [...new Set(all.filter((each) => each !== undefined && each !== own))] as readonly string[];
}

function silent(address: string): MeridianError {
  return new MeridianError('UNAVAILABLE', `${address} did not send its registry within ${askMs} ms`, {
    reason: 'peer-silent',
  });
}
