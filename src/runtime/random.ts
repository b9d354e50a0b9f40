import { randomBytes, randomFillSync } from 'node:crypto';

/** Randomness as the rest of the code sees it. The simulator has a seeded one. */
export interface Random {
  /** From 0 up to and without 1. */
  fraction(): number;
  /** Lower-case hex digits of this many random bytes. */
  hex(bytes: number): string;
}

/** Drawn for a thousand at once: a trip to the generator takes as long as a read. */
const drawn = new Uint32Array(1024);
let drawnLeft = 0;

export const systemRandom: Random = {
  fraction: () => {
    if (drawnLeft === 0) drawnLeft = randomFillSync(drawn).length;
    return (drawn[--drawnLeft] ?? 0) / 2 ** 32;
  },
  hex: (bytes) => randomBytes(bytes).toString('hex'),
};
