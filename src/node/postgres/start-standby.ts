import { join } from 'node:path';
import type { EdgeConfig, OriginConfig } from '../../config/config.ts';
import { resolveConfig } from '../../config/resolve.ts';
import { Closing } from '../closing.ts';
import { checkListenersOf } from '../listen-guard.ts';
import { hostNode } from '../node-host.ts';
import { openEdge } from '../open-edge.ts';
import type { Outside } from '../outside.ts';
import type { RunningNode } from '../running-node.ts';

interface StandbyOptions {
  readonly holder: string;
  readonly outside: Outside;
  readonly notes: () => readonly string[];
  /** Milliseconds for calls under way, asked once it stops. */
  readonly drainMs: () => number;
}

/**
 * What an origin is while another process holds its database: an edge of that one, on its own addresses. It answers reads
 * with their proven age, from its cache and by asking the holder, and passes writes on.
 */
export async function startStandby(
  config: OriginConfig,
  { holder, outside, notes, drainMs }: StandbyOptions,
): Promise<RunningNode> {
  checkListenersOf(config);
  const edgeConfig = edgeConfigOf(config, holder);
  const closing = new Closing(outside.logger);
  return closing.orClose(async () => {
    const { edge, ...opened } = await openEdge({ config: edgeConfig, outside, closing, standsBy: notes });
    return hostNode(edge, { ...edgeConfig, ...opened, outside, closing, drainMs, expiryClock: edge.expiryClock });
  });
}

/** Of what only edges have, the defaults; the rest as the origin is told. */
function edgeConfigOf(config: OriginConfig, holder: string): EdgeConfig {
  const flags = { upstream: [holder], data: join(config.data, 'standby') };
  const edge = resolveConfig('edge', { flags, env: {}, file: {} });
  const shared = Object.fromEntries(
    Object.entries(config).filter(([field]) => field in edge && field !== 'data' && field !== 'upstreams'),
  );
  return { ...edge, ...shared };
}
