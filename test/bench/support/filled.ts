import type { Redis } from 'ioredis';
import type { Namespace } from '../../../src/client/namespace.ts';

export const value = Buffer.alloc(100, 0x78);

export function keyAt(n: number): string {
  return `user/${String(n).padStart(9, '0')}`;
}

/** Writes records of 100 bytes under the keys from `keyAt(from)` to before `keyAt(records)`. */
export async function fill(namespace: Namespace, records: number, from = 0): Promise<void> {
  let next = from;
  const writer = async () => {
    while (next < records) {
      const first = next;
      next += 2000;
      const count = Math.min(2000, records - first);
      const puts = Array.from({ length: count }, (_, i) => ({ kind: 'put', key: keyAt(first + i), value }) as const);
      await namespace.write(puts, { timeoutMs: 120_000 });
    }
  };
  await Promise.all(Array.from({ length: 4 }, writer));
}

/** The same records, in a Redis. */
export async function fillRedis(redis: Redis, records: number): Promise<void> {
  for (let n = 0; n < records; n += 10_000) {
    const batch = Array.from({ length: Math.min(10_000, records - n) }, (_, i) => [keyAt(n + i), value] as const);
    await redis.mset(...batch.flat());
  }
}
