import { MeridianError } from '../model/errors.ts';
import type { LogId } from '../model/position.ts';
import { bottomStamp, parseStamp, type Stamp } from '../model/stamp.ts';
import { emptyVector, parseVector, type VersionVector } from '../model/version-vector.ts';

/** What a node's store claims of itself. It changes in the same batch as the records that it speaks of (rule R3). */
export interface LedgerState {
  /** The covering property (architecture §2) holds up to here. Folded. */
  readonly covered: VersionVector;
  /** The highest purged sequence of each log: no delta from below (rule R8). Never folded: floors imply nothing. */
  readonly floor: VersionVector;
  /** What every registered member covers: tombstones up to here may be purged (rule R19). Folded. */
  readonly stable: VersionVector;
  /** The highest stamp issued or seen (rule R15). */
  readonly highWater: Stamp;
}

export const emptyLedgerState: LedgerState = {
  covered: emptyVector,
  floor: emptyVector,
  stable: emptyVector,
  highWater: bottomStamp,
};

/** The name under which the store keeps it. */
export const ledgerStateName = 'ledger';

interface Written {
  readonly covered: ReadonlyArray<readonly [LogId, number]>;
  readonly floor: ReadonlyArray<readonly [LogId, number]>;
  readonly stable: ReadonlyArray<readonly [LogId, number]>;
  readonly highWater: Stamp;
}

export function encodeLedgerState(state: LedgerState): Uint8Array {
  const written: Written = {
    covered: [...state.covered],
    floor: [...state.floor],
    stable: [...state.stable],
    highWater: state.highWater,
  };
  return Buffer.from(JSON.stringify(written));
}

/** @throws if these are not the components of a vector */
function vectorOf(components: unknown): VersionVector {
  const vector = parseVector(components);
  if (vector === undefined) throw new Error('no vector');
  return vector;
}

/** @throws DATA_LOSS if the bytes are not what `encodeLedgerState` wrote */
export function decodeLedgerState(bytes: Uint8Array | undefined): LedgerState {
  if (bytes === undefined) return emptyLedgerState;
  try {
    const { covered, floor, stable, highWater } = JSON.parse(Buffer.from(bytes).toString()) as Partial<Written>;
    if (typeof highWater !== 'string' || parseStamp(highWater) === undefined) throw new Error('no stamp');
    return { covered: vectorOf(covered), floor: vectorOf(floor), stable: vectorOf(stable), highWater };
  } catch (cause) {
    throw new MeridianError('DATA_LOSS', "the store's ledger state cannot be read", { reason: 'bad-ledger', cause });
  }
}
