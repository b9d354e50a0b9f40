import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMeridianError } from '../model/errors.ts';
import { type LevelOptions, levelDefaults } from '../store/level/level-options.ts';
import { openLevelStore } from '../store/level-store.ts';
import type { Store } from '../store/store.ts';
import type { Closing } from './closing.ts';
import type { Outside } from './outside.ts';
import { scrubForEver } from './scrubbing.ts';

export interface VerifiedOptions {
  readonly outside: Outside;
  /** As the log calls it. */
  readonly name: string;
  readonly acceptLoss: boolean;
  readonly diskReserveBytes: number;
  /** Bytes a second; 0 = never. */
  readonly scrubRateBytes: number;
  /** Bytes of hot records in memory, beside which the store has memory of its own. Default: 256 MiB. */
  readonly cacheMemoryBytes?: number;
}

export interface NodeStoreOptions extends VerifiedOptions {
  readonly closing: Closing;
}

export interface OpenStore {
  readonly store: Store;
  /** Ends the verification, then closes the store. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens a store of a node, says in the log what it lost, and verifies it slowly while it is open.
 * @throws what `openLevelStore` throws
 */
export async function openVerified(directory: string, options: VerifiedOptions): Promise<OpenStore> {
  const { outside, name, acceptLoss, diskReserveBytes, scrubRateBytes } = options;
  const { clock } = outside;
  const logger = outside.logger.of('store');
  const memory = storeMemory(options.cacheMemoryBytes ?? defaultCacheMemoryBytes);
  const store = await openLevelStore(directory, { acceptLoss, reserveBytes: diskReserveBytes, ...memory });
  const { damagedRecords, absenceUncertain, acceptedLoss } = store.condition();
  if (acceptedLoss > 0) {
    logger.log('error', 'acknowledged commits are missing, which was accepted', { store: name, commits: acceptedLoss });
  }
  if (damagedRecords > 0 || absenceUncertain) {
    logger.log('error', 'records of the store are damaged', { store: name, damagedRecords, absenceUncertain });
  }
  const scrubbing = new AbortController();
  const scrubbed = scrubForEver(store, { clock, logger, bytesPerSecond: scrubRateBytes }, scrubbing.signal);
  return {
    store,
    close: async () => {
      scrubbing.abort();
      await scrubbed;
      await store.close();
    },
  };
}

const mebibyte = 1024 * 1024;
const defaultCacheMemoryBytes = 256 * mebibyte;

/** A small node has a small store: a quarter as much for its blocks, and a sixteenth for a log, within bounds. */
function storeMemory(cacheMemoryBytes: number): Required<Pick<LevelOptions, 'cacheBytes' | 'writeBufferBytes'>> {
  const { cacheBytes, writeBufferBytes } = levelDefaults;
  return {
    cacheBytes: Math.min(cacheBytes, Math.max(mebibyte, cacheMemoryBytes / 4)),
    writeBufferBytes: Math.min(writeBufferBytes, Math.max(2 * mebibyte, cacheMemoryBytes / 16)),
  };
}

/** The same, closed with the node. */
export async function openNodeStore(directory: string, options: NodeStoreOptions): Promise<Store> {
  const { store, close } = await openVerified(directory, options);
  options.closing.add(options.name, close);
  return store;
}

/**
 * The same for a store that holds nothing of its own, since the upstream has it all: a damaged one is put aside, once,
 * as `…-damaged`, and an empty one begun. One of a later format stays where it is.
 */
export async function openRefillableStore(directory: string, options: NodeStoreOptions): Promise<Store> {
  try {
    return await openNodeStore(directory, options);
  } catch (error) {
    if (!isMeridianError(error, 'DATA_LOSS') || error.details.reason === 'store-format-unknown') throw error;
    const aside = `${directory}-damaged`;
    const logger = options.outside.logger.of('store');
    logger.log('error', 'a damaged store is put aside and will be filled again', { aside, error: error.message });
    await rm(aside, { recursive: true, force: true });
    await rename(directory, aside);
    return openNodeStore(directory, options);
  }
}

/** The two stores of an edge, in its folder. @throws as `openRefillableStore` */
export async function openEdgeStores(
  folder: string,
  options: Omit<NodeStoreOptions, 'name'>,
): Promise<{ readonly copyStore: Store; readonly cacheStore: Store }> {
  const copyStore = await openRefillableStore(join(folder, 'copy'), { ...options, name: 'store of the copy' });
  const cacheStore = await openRefillableStore(join(folder, 'cache'), { ...options, name: 'store of the cache' });
  return { copyStore, cacheStore };
}
