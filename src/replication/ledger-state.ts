import { type EpochStart, type Epochs, type Hearer, joinEpochs } from '../model/epoch.ts';
import { MeridianError } from '../model/errors.ts';
import type { Step } from '../model/feed.ts';
import type { OriginId } from '../model/position.ts';
import { bottomStamp, type Stamp } from '../model/stamp.ts';
import { emptyVector, joinVectors, type VersionVector } from '../model/version-vector.ts';

/** What a node's store claims of itself. It changes in the same batch as the records that it speaks of (rule R3). */
export interface LedgerState {
  /** The covering property (architecture §2) holds up to here. */
  readonly covered: VersionVector;
  /** The highest purged sequence of each origin: no delta from below (rule R8). */
  readonly floor: VersionVector;
  /** What every registered origin covers: tombstones up to here may be purged (rule R19). */
  readonly settled: VersionVector;
  readonly epochs: Epochs;
  /** The highest stamp issued or seen (rule R15). */
  readonly highWater: Stamp;
}

export const emptyLedgerState: LedgerState = {
  covered: emptyVector,
  floor: emptyVector,
  settled: emptyVector,
  epochs: new Map(),
  highWater: bottomStamp,
};

/** What a follower's step adds to a state: its coverage, what is settled, and the openings it tells of. */
export function stateAfter(
  { covered, settled, epochs }: LedgerState,
  step: Step,
  hearer?: Hearer,
): Pick<LedgerState, 'covered' | 'settled'> & Partial<Pick<LedgerState, 'epochs'>> {
  return {
    covered: joinVectors(covered, step.vector),
    settled: joinVectors(settled, step.settled),
    ...(step.epochs === undefined ? {} : { epochs: joinEpochs(epochs, step.epochs, hearer) }),
  };
}

/** The name under which the store keeps it. */
export const ledgerStateName = 'ledger';

interface Written {
  readonly covered: Array<[OriginId, number]>;
  readonly floor: Array<[OriginId, number]>;
  readonly settled: Array<[OriginId, number]>;
  readonly epochs: Array<[OriginId, EpochStart[]]>;
  readonly highWater: Stamp;
}

export function encodeLedgerState(state: LedgerState): Uint8Array {
  const written: Written = {
    covered: [...state.covered],
    floor: [...state.floor],
    settled: [...state.settled],
    epochs: [...state.epochs].map(([origin, history]) => [origin, [...history]]),
    highWater: state.highWater,
  };
  return Buffer.from(JSON.stringify(written));
}

/** @throws DATA_LOSS where the bytes are not what `encodeLedgerState` wrote */
export function decodeLedgerState(bytes: Uint8Array | undefined): LedgerState {
  if (bytes === undefined) return emptyLedgerState;
  try {
    const written = JSON.parse(Buffer.from(bytes).toString()) as Written;
    return {
      covered: new Map(written.covered),
      floor: new Map(written.floor),
      settled: new Map(written.settled),
      epochs: new Map(written.epochs),
      highWater: written.highWater,
    };
  } catch (cause) {
    throw new MeridianError('DATA_LOSS', "the store's ledger state cannot be read", { reason: 'bad-ledger', cause });
  }
}
