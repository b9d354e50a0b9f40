import type { OriginConfig } from '../config/config.ts';
import type { NodeMetrics } from '../metrics/node-metrics.ts';
import type { OriginStores } from '../origin/origin-options.ts';
import { openVerified } from './open-store.ts';
import { OriginFolder } from './origin-stores.ts';
import type { Outside } from './outside.ts';

/** Where an origin keeps its data, as its start uses it. */
export interface OriginStorage {
  open(metrics: NodeMetrics): Promise<OriginStores & { close(): Promise<void> }>;
  /** Why another process may hold the data by now; see `OriginOptions.fenced`. Default: nobody else can. */
  readonly fenced?: () => string | undefined;
  /** What status says of it. */
  readonly notes?: () => readonly string[];
  /** Aborted, with the reason, once this process is to start anew over the same data. */
  readonly lost?: AbortSignal;
  /** Told where the node listens. */
  readonly listening?: (address: string) => Promise<void>;
}

/** In a folder of this machine, as `--data` names it. */
export function folderStorage(config: OriginConfig, outside: Outside): OriginStorage {
  const open = () => OriginFolder.open(config.data, (path, name) => openVerified(path, { ...config, outside, name }));
  return { open };
}
