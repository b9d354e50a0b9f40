/*
 * Each commit of a store has a number, one more than the commit before it. The first change of its batch sets
 * `commitsKey` to that number and to the number of the last commit that was synced when it was made. So a write-ahead
 * log itself tells which commits it holds, and whether acknowledged ones were in a place that cannot be read.
 */

export const commitsKey = 'scommits';

export interface CommitCount {
  /** The number of this commit. */
  readonly number: number;
  /** The last commit that was synced when this one was made. */
  readonly acknowledged: number;
}

const numberBytes = 6;

export function encodeCommitCount({ number, acknowledged }: CommitCount): Uint8Array {
  const bytes = Buffer.allocUnsafe(2 * numberBytes);
  bytes.writeUIntBE(acknowledged, bytes.writeUIntBE(number, 0, numberBytes), numberBytes);
  return bytes;
}

/** Undefined if these bytes are not such numbers. */
export function decodeCommitCount(bytes: Buffer | undefined): CommitCount | undefined {
  if (bytes?.length !== 2 * numberBytes) return undefined;
  return { number: bytes.readUIntBE(0, numberBytes), acknowledged: bytes.readUIntBE(numberBytes, numberBytes) };
}
