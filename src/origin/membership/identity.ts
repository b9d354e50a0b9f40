import { MeridianError } from '../../model/errors.ts';
import { type MemberId, parseMemberId } from '../../model/position.ts';
import { holds } from '../../model/rules.ts';
import type { Ledger } from '../../replication/ledger.ts';
import { decodeLedgerState, ledgerStateName } from '../../replication/ledger-state.ts';
import type { Random } from '../../runtime/random.ts';
import type { Store } from '../../store/store.ts';

/** Who an origin is: drawn when its store is made, and kept there. */
export interface OriginIdentity {
  readonly id: MemberId;
  /** Unset until an origin of a cluster has admitted it. */
  readonly clusterId?: string;
  /** True for the store that founded the cluster. */
  readonly founds?: boolean;
  /** True once it has served: from then on what it covers is whole. */
  readonly served?: boolean;
  /** True if it was registered before its store was emptied (rule R8). */
  readonly rejoins?: boolean;
  /** Where the others were reached before its store was emptied. */
  readonly peers?: readonly string[];
}

const identityName = 'origin/identity';
const leavingName = 'origin/leaving';
const erasedName = 'origin/erased';

/** The mark of a store that its origin may not go on with: it is put aside, and the origin begins anew beside it. */
export interface Leaving {
  /**
   * `same`: below a peer's floor (rule R8). `new`: it was removed, and comes back as another member. `before`: no
   * member serves that it could rejoin: this store is deleted, and the one put aside takes its place again.
   */
  readonly as: 'same' | 'new' | 'before';
  readonly why: string;
  /** Where the others are reached. */
  readonly peers: readonly string[];
}

/** On a store that is erased; kept in the one put aside before it, as erasing takes a while and may break off. */
export interface Erased {
  readonly identity: OriginIdentity | undefined;
  readonly leaving: Leaving;
}

/** @throws DATA_LOSS */
export async function readIdentity(store: Pick<Store, 'meta'>): Promise<OriginIdentity | undefined> {
  const stored = await store.meta(identityName);
  if (stored === undefined) return undefined;
  const identity = JSON.parse(Buffer.from(stored).toString()) as { id: string };
  const id = parseMemberId(identity.id);
  if (id === undefined)
    throw new MeridianError('DATA_LOSS', "the origin's identity is damaged", { reason: 'identity' });
  return { ...identity, id };
}

/** What was there before a store that has no identity. */
export interface Before {
  /** True if peers are configured. */
  readonly joins: boolean;
  /** The store that was put aside last. */
  readonly aside: Store | undefined;
  /** The mark of the store that was now put aside, or erased. */
  readonly leaving: Leaving | undefined;
}

/**
 * The identity in the store. An empty store is given one: beside a store that was put aside it goes on as that one's
 * mark says; with peers it waits to be admitted to their cluster; without peers it founds a new one (rule R16). @throws
 * DATA_LOSS
 */
export async function readOrFound(ledger: Ledger, random: Random, before: Before): Promise<OriginIdentity> {
  const { aside } = before;
  const joins = before.joins && holds('R16 one with peers never founds');
  const stored = await readIdentity(ledger.store);
  if (stored !== undefined) return stored;
  if (ledger.state.covered.size > 0) throw noOrigin();
  const id = random.hex(8) as MemberId;
  if (aside !== undefined) return comeBack(ledger, id, { ...before, aside });
  // Until a restore or a rebuild is complete, nothing that it brought is covered.
  if (await holdsRecords(ledger.store)) throw noOrigin();
  const identity: OriginIdentity = joins ? { id } : { id, clusterId: random.hex(16), founds: true };
  await keepIdentity(ledger, identity);
  return identity;
}

function noOrigin(): MeridianError {
  const message =
    'the data directory holds records but no origin: it is an edge’s, or what was to fill it (a restore, a rebuild, a copy) ' +
    'broke off and is to be begun again';
  return new MeridianError('DATA_LOSS', message, { reason: 'identity' });
}

async function holdsRecords(store: Pick<Store, 'snapshot'>): Promise<boolean> {
  const snapshot = store.snapshot();
  try {
    let holdsAny = false;
    for await (const page of snapshot.records({}, () => (holdsAny = true))) {
      if (page.length > 0 || holdsAny) return true;
    }
    return holdsAny;
  } finally {
    await snapshot.close();
  }
}

/** The identity beside a store that was put aside: keeps its clock, and its id if the mark says so (rules R8, R15). */
async function comeBack(
  ledger: Ledger,
  fresh: MemberId,
  { aside, leaving: left }: Before & { readonly aside: Store },
): Promise<OriginIdentity> {
  const before = await readIdentity(aside);
  // A member that began beside it and left again may have been admitted: it goes on as itself if the mark says so.
  const { identity: erased, leaving: erasedAs } = (await readErased(aside)) ?? {};
  const leaving = left ?? erasedAs ?? (await readLeaving(aside));
  const self = erased ?? before;
  const id = leaving?.as === 'same' && self !== undefined ? self.id : fresh;
  const { highWater } = decodeLedgerState(await aside.meta(ledgerStateName));
  const identity: OriginIdentity = {
    id,
    ...(before?.clusterId === undefined ? {} : { clusterId: before.clusterId }),
    rejoins: erased === undefined ? id === before?.id : id === erased.id && erased.rejoins === true,
    peers: leaving?.peers ?? [],
  };
  const meta = new Map([identityRow(identity)]);
  await ledger.submit({
    keys: [],
    sync: true,
    bytes: 0,
    decide: () => ({ state: { highWater }, meta, result: undefined }),
  });
  return identity;
}

export function identityRow(identity: OriginIdentity): [string, Uint8Array] {
  return [identityName, Buffer.from(JSON.stringify(identity))];
}

export async function keepIdentity(ledger: Ledger, identity: OriginIdentity): Promise<void> {
  const meta = new Map([identityRow(identity)]);
  await ledger.submit({ keys: [], sync: true, bytes: 0, decide: () => ({ meta, result: undefined }) });
}

export async function readLeaving(store: Pick<Store, 'meta'>): Promise<Leaving | undefined> {
  const stored = await store.meta(leavingName);
  return stored === undefined ? undefined : (JSON.parse(Buffer.from(stored).toString()) as Leaving);
}

async function readErased(aside: Pick<Store, 'meta'>): Promise<Erased | undefined> {
  const stored = await aside.meta(erasedName);
  return stored === undefined ? undefined : (JSON.parse(Buffer.from(stored).toString()) as Erased);
}

export async function keepErased(aside: Pick<Store, 'commit'>, erased: Erased): Promise<void> {
  const meta = new Map([[erasedName, Buffer.from(JSON.stringify(erased))]]);
  await aside.commit({ puts: [], removals: [], meta, sync: true });
}

/** The origin goes on with this store after all. */
export async function forgetLeaving(store: Pick<Store, 'commit'>): Promise<void> {
  const meta = new Map([leavingName, erasedName].map((name) => [name, undefined]));
  await store.commit({ puts: [], removals: [], meta, sync: true });
}

export async function keepLeaving(ledger: Ledger, leaving: Leaving): Promise<void> {
  const meta = new Map([[leavingName, Buffer.from(JSON.stringify(leaving))]]);
  await ledger.submit({ keys: [], sync: true, bytes: 0, decide: () => ({ meta, result: undefined }) });
}
