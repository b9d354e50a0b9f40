import { randomBytes } from 'node:crypto';

/** Randomness as the rest of the code sees it. The simulator has a seeded one. */
export interface Random {
  /** From 0 up to and without 1. */
  fraction(): number;
  /** Lower-case hex digits of this many random bytes. */
  hex(bytes: number): string;
}

export const systemRandom: Random = {
  fraction: () => randomBytes(4).readUInt32BE() / 2 ** 32,
  hex: (bytes) => randomBytes(bytes).toString('hex'),
};
