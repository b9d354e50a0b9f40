import type { Epoch } from '../model/epoch.ts';
import { MeridianError } from '../model/errors.ts';
import { registryNamespace } from '../model/namespace.ts';
import { type OriginId, parseOriginId } from '../model/position.ts';
import type { Ledger } from '../replication/ledger.ts';
import { type RegisteredOrigin, registryKeys } from '../replication/registry.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { nextStamp } from './stamp-clock.ts';

/** Who an origin is: kept in its store, drawn when that is made. */
export interface OriginIdentity {
  readonly id: OriginId;
  readonly clusterId: string;
}

const identityName = 'origin/identity';
/** Openings that are remembered of one origin; a cursor older than all of them names no epoch that is known. */
const epochsMax = 256;

/** The identity in the store; in an empty one a new cluster is founded (rule R16). @throws DATA_LOSS */
export async function readOrFound(ledger: Ledger, random: Random): Promise<OriginIdentity> {
  const stored = await ledger.store.meta(identityName);
  if (stored !== undefined) {
    const identity = JSON.parse(Buffer.from(stored).toString()) as { id: string; clusterId: string };
    const id = parseOriginId(identity.id);
    if (id === undefined)
      throw new MeridianError('DATA_LOSS', "the origin's identity is damaged", { reason: 'identity' });
    return { id, clusterId: identity.clusterId };
  }
  if (ledger.state.covered.size > 0) {
    throw new MeridianError('DATA_LOSS', 'the data directory holds records but no origin: is it an edge’s?', {
      reason: 'identity',
    });
  }
  const identity: OriginIdentity = { id: random.hex(8) as OriginId, clusterId: random.hex(16) };
  await ledger.submit({
    keys: [],
    sync: true,
    bytes: 0,
    decide: () => ({ meta: new Map([[identityName, Buffer.from(JSON.stringify(identity))]]), result: undefined }),
  });
  return identity;
}

/**
 * Draws the epoch of this opening and registers it, and this origin, as the first write of the epoch: whoever covers a
 * sequence of it knows the epoch too (rule R16).
 */
export async function beginEpoch(
  ledger: Ledger,
  self: Omit<RegisteredOrigin, 'epochs'>,
  { clock, random }: { clock: Clock; random: Random },
): Promise<void> {
  const epoch: Epoch = Number.parseInt(random.hex(4), 16);
  const key = registryKeys.origin(self.id);
  await ledger.submit({
    keys: [{ namespace: registryNamespace, key }],
    sync: true,
    bytes: 256,
    decide: ({ state }) => {
      const sequence = (state.covered.get(self.id) ?? 0) + 1;
      const history = [...(state.epochs.get(self.id) ?? []), { epoch, first: sequence }].slice(-epochsMax);
      const stamp = nextStamp(state.highWater, clock.wallMs(), self.id);
      const covered = new Map(state.covered).set(self.id, sequence);
      const value = Buffer.from(JSON.stringify({ ...self, epochs: history } satisfies RegisteredOrigin));
      const position = { origin: self.id, sequence };
      return {
        puts: [{ kind: 'live', namespace: registryNamespace, key, stamp, position, value }],
        state: {
          covered,
          settled: covered,
          highWater: stamp,
          epochs: new Map(state.epochs).set(self.id, history),
        },
        result: undefined,
      };
    },
  });
}
