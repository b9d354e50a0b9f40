import type { Parameters } from '../nodes/parameters.ts';

/** As tiny as the bounds of random runs are, and always the same. */
export const fixedParameters: Parameters = {
  ringCommitsMax: 3,
  scanRecordsMax: 2,
  scansMax: 2,
  scanStallMs: 500,
  garbageIntervalMs: 50,
  clockSkewMsMax: 60,
  clockHoldMs: 300,
  tombstoneRetentionMs: 1000,
  syncMsMax: 1,
  cacheMemoryBytesMax: 1_000_000,
  cacheDiskBytesMax: 1_000_000,
  inlineBytesMax: 10,
};
