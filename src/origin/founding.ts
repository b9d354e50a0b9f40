import type { Epoch, EpochHistory } from '../model/epoch.ts';
import { MeridianError } from '../model/errors.ts';
import { registryNamespace } from '../model/namespace.ts';
import { type OriginId, parseOriginId } from '../model/position.ts';
import type { LiveRecord } from '../model/record.ts';
import { covers, coversPosition, type VersionVector } from '../model/version-vector.ts';
import type { Ledger } from '../replication/ledger.ts';
import { type Membership, membershipKeys, type RegisteredOrigin } from '../replication/membership.ts';
import type { CommitView } from '../replication/proposal.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { majorityOf } from './durability.ts';
import type { Settlement } from './settlement.ts';
import { nextStamp } from './stamp-clock.ts';

/** Who an origin is: kept in its store, drawn when that is made. */
export interface OriginIdentity {
  readonly id: OriginId;
  /** Unset while no origin of a cluster has admitted it. */
  readonly clusterId?: string;
  /** True for the store that founded the cluster. */
  readonly founds?: boolean;
  /** True once it has served: what it covers since then is whole. */
  readonly begun?: boolean;
  /** Where the others were reached before it began anew under this id. */
  readonly peers?: readonly string[];
}

const identityName = 'origin/identity';
/** Openings that are remembered of one origin; a cursor older than all of them names no epoch that is known. */
const epochsMax = 256;

/**
 * The identity in the store. An empty store is given one: with peers it waits to be admitted to their cluster, without
 * it founds a new one (rule R16). @throws DATA_LOSS
 */
export async function readOrFound(ledger: Ledger, random: Random, joins: boolean): Promise<OriginIdentity> {
  const stored = await ledger.store.meta(identityName);
  if (stored !== undefined) {
    const identity = JSON.parse(Buffer.from(stored).toString()) as { id: string; clusterId?: string };
    const id = parseOriginId(identity.id);
    if (id === undefined)
      throw new MeridianError('DATA_LOSS', "the origin's identity is damaged", { reason: 'identity' });
    return { ...identity, id };
  }
  if (ledger.state.covered.size > 0) {
    throw new MeridianError('DATA_LOSS', 'the data directory holds records but no origin: is it an edge’s?', {
      reason: 'identity',
    });
  }
  const id = random.hex(8) as OriginId;
  const identity: OriginIdentity = joins ? { id } : { id, clusterId: random.hex(16), founds: true };
  await keepIdentity(ledger, identity);
  return identity;
}

export function identityRow(identity: OriginIdentity): [string, Uint8Array] {
  return [identityName, Buffer.from(JSON.stringify(identity))];
}

export async function keepIdentity(ledger: Ledger, identity: OriginIdentity): Promise<void> {
  const meta = new Map([identityRow(identity)]);
  await ledger.submit({ keys: [], sync: true, bytes: 0, decide: () => ({ meta, result: undefined }) });
}

/** True once an admitted origin holds what it must before it counts (rule R19). The founder always does. */
export function mayServe(self: OriginId, membership: Membership, covered: VersionVector): boolean {
  const registered = membership.origin(self);
  if (registered === undefined) return false;
  const { admitted } = registered;
  if (admitted === undefined) return true;
  const record = { origin: admitted.by, sequence: admitted.sequence };
  return (
    (coversPosition(covered, record) || membership.isBeyondFinal(record)) &&
    covers(covered, membership.withinFinal(new Map(admitted.covered)))
  );
}

/**
 * Who has yet to serve its feed to this origin before that may count; empty once a majority has, of those who were
 * registered when it was let in. Whoever serves it knows of it first, and covered no more then than what it told since. So
 * who has not heard of this origin, and purges what all those cover that it knows, purges nothing that is not covered here,
 * also where who let it in was removed meanwhile (rules R19, R22).
 */
export function unheardOf(self: OriginId, membership: Membership, settlement: Pick<Settlement, 'of'>): OriginId[] {
  const { by, among = [] } = membership.origin(self)?.admitted ?? {};
  const asked = among.filter((id) => id !== self && membership.retirement(id) === undefined);
  const unheard = asked.filter((id) => id !== by && settlement.of(id) === undefined);
  return asked.length - unheard.length >= majorityOf(asked.length) ? [] : unheard;
}

/** What an origin writes of itself; its admission stays what it was. */
export type SelfDescription = Pick<RegisteredOrigin, 'id' | 'name' | 'region' | 'location' | 'address'>;

export interface Registering {
  readonly ledger: Ledger;
  readonly self: OriginId;
  readonly settlement: Settlement;
  readonly clock: Clock;
}

/**
 * Draws the epoch of this opening and registers it, and this origin, as the first write of the epoch: whoever covers a
 * sequence of it knows the epoch too (rule R16). The founder becomes the registry's home by the same commit.
 */
export async function beginEpoch(registering: Registering, self: SelfDescription, random: Random): Promise<void> {
  const epoch: Epoch = Number.parseInt(random.hex(4), 16);
  const { membership } = registering.ledger.registry;
  await registering.ledger.submit({
    keys: [
      { namespace: registryNamespace, key: membershipKeys.origin(self.id) },
      { namespace: registryNamespace, key: membershipKeys.home(registryNamespace) },
    ],
    sync: true,
    bytes: 256,
    decide: (view) => {
      const first = (view.state.covered.get(self.id) ?? 0) + 1;
      const history = [...(view.state.epochs.get(self.id) ?? []), { epoch, first }].slice(-epochsMax);
      const admitted = membership.origin(self.id)?.admitted;
      const values: Array<[string, unknown]> = [registration(membership, self, history)];
      const founds = admitted === undefined && membership.registryHome() === undefined;
      if (founds) values.push([membershipKeys.home(registryNamespace), { home: self.id }]);
      const { puts, state } = registryPuts(registering, values, view);
      const epochs = new Map(view.state.epochs).set(self.id, history);
      return { puts, state: { ...state, epochs }, result: undefined };
    },
  });
}

/**
 * Registers an origin that serves again, as it is: who had yet to hear of it, and let it in anew, wrote that it has not begun.
 */
export async function registerAgain(registering: Registering, self: SelfDescription): Promise<void> {
  const { ledger } = registering;
  await ledger.submit({
    keys: [{ namespace: registryNamespace, key: membershipKeys.origin(self.id) }],
    sync: true,
    bytes: 256,
    decide: (view) => {
      const history = view.state.epochs.get(self.id) ?? [];
      const values = [registration(ledger.registry.membership, self, history)];
      return { ...registryPuts(registering, values, view), result: undefined };
    },
  });
}

function registration(membership: Membership, self: SelfDescription, epochs: EpochHistory): [string, RegisteredOrigin] {
  const admitted = membership.origin(self.id)?.admitted;
  return [membershipKeys.origin(self.id), { ...self, ...(admitted === undefined ? {} : { admitted }), epochs }];
}

/** Records of the registry by this origin, and the state after them. */
export function registryPuts(
  { self, settlement, clock }: Registering,
  values: ReadonlyArray<readonly [string, unknown]>,
  { state }: CommitView,
): { readonly puts: readonly LiveRecord[]; readonly state: Partial<CommitView['state']> } {
  let { highWater } = state;
  let sequence = state.covered.get(self) ?? 0;
  const puts = values.map(([key, value]): LiveRecord => {
    highWater = nextStamp(highWater, clock.wallMs(), self);
    sequence++;
    return {
      kind: 'live',
      namespace: registryNamespace,
      key,
      stamp: highWater,
      position: { origin: self, sequence },
      value: Buffer.from(JSON.stringify(value)),
    };
  });
  const covered = new Map(state.covered).set(self, sequence);
  return { puts, state: { covered, highWater, settled: settlement.after(covered, state.settled) } };
}
