// What batch `n` of store-child.mjs writes: the same keys every ten batches, each with values of its own, one of them
// large, so that batches replace small and large values, fill logs and make tables.

export const keysABatch = 3;

const namespace = 'a'.repeat(32);
const log = '1'.repeat(16);

export function batchOf(n) {
  return Array.from({ length: keysABatch }, (_, index) => {
    const sequence = (n - 1) * keysABatch + index + 1;
    const value = Buffer.alloc(index === 0 ? 20_000 : 200);
    for (let at = 0; at < value.length; at += 4) value.writeUInt32LE((n * 2_654_435_761 + at) >>> 0, at);
    return {
      kind: 'live',
      namespace,
      key: `group ${n % 10} key ${index}`,
      value,
      stamp: (1_700_000_000_000 + n).toString(16).padStart(12, '0') + index.toString(16).padStart(4, '0') + log,
      position: { log, sequence },
      expiresAt: 2_000_000_000 + n,
    };
  });
}
