import type { Namespace } from '../../../src/client/namespace.ts';

export const value = Buffer.alloc(100, 0x78);

export function keyAt(n: number): string {
  return `user/${String(n).padStart(9, '0')}`;
}

/** Writes so many records of 100 bytes, under the keys from `keyAt(0)` on. */
export async function fill(namespace: Namespace, records: number): Promise<void> {
  let next = 0;
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
