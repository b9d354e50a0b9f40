import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EdgeConfig } from '../../config/config.ts';
import type { Address } from '../../config/option.ts';
import type { Part } from './messages.ts';

/** The ports that workers share. */
export interface SharedPorts {
  readonly listen: Address;
  readonly http: Address;
  readonly redis: Address | undefined;
}

/** The folder of a worker's cache, in the edge's own. */
export function workerFolder(data: string, number: number): string {
  return join(data, `worker-${number}`);
}

/** Their caches take disk, and nobody would bound it. Only for who holds the edge's stores: else they may be in use. */
export async function forgetWorkersBeyond({ data, workers }: Pick<EdgeConfig, 'data' | 'workers'>): Promise<void> {
  for (const name of await readdir(data)) {
    const number = Number(/^worker-(\d+)$/.exec(name)?.[1] ?? 0);
    if (number > workers) await rm(workerFolder(data, number), { recursive: true, force: true });
  }
}

/**
 * The configuration of one process of an edge. What bounds memory, connections and loads bounds all processes together, so
 * each has an equal share: of memory for records keeper and workers alike, of the rest the workers, at which callers arrive.
 * A worker caches everything and copies nothing; on disk it keeps as much as in memory, to be warm after a restart.
 */
export function configOf(part: Part, config: EdgeConfig, ports: SharedPorts): EdgeConfig {
  const { workers } = config;
  const cacheMemoryBytes = Math.ceil(config.cacheMemoryBytes / (workers + 1));
  if (part.role === 'keeper') return { ...config, ...ports, cacheMemoryBytes };
  const share = (bound: number) => Math.ceil(bound / workers);
  return {
    ...config,
    ...ports,
    name: `${config.name}/${part.number}`,
    data: workerFolder(config.data, part.number),
    replicate: [],
    scrubRateBytes: 0,
    cacheMemoryBytes,
    cacheDiskBytes: Math.min(config.cacheDiskBytes, cacheMemoryBytes),
    loadsMax: share(config.loadsMax),
    connectionsMax: share(config.connectionsMax),
    connectionsPerAddressMax: share(config.connectionsPerAddressMax),
    answerMemoryBytes: share(config.answerMemoryBytes),
    uploadMemoryBytes: share(config.uploadMemoryBytes),
  };
}
