import type { EdgeConfig } from '../config/config.ts';
import { Closing } from './closing.ts';
import { checkListenersOf } from './listen-guard.ts';
import { hostNode } from './node-host.ts';
import { openEdge } from './open-edge.ts';
import type { Outside } from './outside.ts';
import type { RunningNode } from './running-node.ts';
import { spawner } from './workers/spawn.ts';
import { superviseEdge } from './workers/supervise-edge.ts';

/** From here as from the joined files, which lie as deep. */
const partScript = new URL('../node/workers/run-part.js', import.meta.url);

/**
 * Opens the edge's stores, begins to follow, and serves; with workers, in processes of their own. It is there at once,
 * also while no upstream is.
 * @throws INVALID_ARGUMENT (a listener that others reach, a folder of another role), UNAVAILABLE (an address or a store is taken), DATA_LOSS
 */
export async function startEdge(config: EdgeConfig, outside: Outside): Promise<RunningNode> {
  checkListenersOf(config);
  if (config.workers > 0) return superviseEdge(config, outside, spawner(partScript));
  const closing = new Closing(outside.logger);
  return closing.orClose(async () => {
    const { edge, ...opened } = await openEdge({ config, outside, closing });
    return hostNode(edge, { ...config, ...opened, outside, closing, expiryClock: edge.expiryClock });
  });
}
