import type { Random } from '../../../src/runtime/random.ts';

/**
 * Draws 0 to count - 1, each the less often the greater it is: as 1 / (n + 1) ^ skew. By Gray and others, "Quickly generating
 * billion-record synthetic databases" (SIGMOD 1994), as YCSB does it, whose skew is 0.99 too.
 */
export function zipf(count: number, random: Random, skew = 0.99): () => number {
  let total = 0;
  for (let n = 1; n <= count; n++) total += 1 / n ** skew;
  const [second, exponent] = [1 + 0.5 ** skew, 1 / (1 - skew)];
  const eta = (1 - (2 / count) ** (1 - skew)) / (1 - second / total);
  return () => {
    const drawn = random.fraction();
    if (drawn * total < 1) return 0;
    if (drawn * total < second) return 1;
    return Math.min(count - 1, Math.floor(count * (eta * drawn - eta + 1) ** exponent));
  };
}
