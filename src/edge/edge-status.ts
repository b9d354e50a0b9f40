import type { NodeIdentity, NodeStatus } from '../model/cluster.ts';
import type { EdgeParts } from './edge-parts.ts';

interface Seen {
  readonly node: NodeIdentity;
  readonly clusterId: string | undefined;
  readonly version: string;
  readonly ready: boolean;
  readonly uptimeMs: number;
  /** Undefined while they are opened anew. */
  readonly parts: EdgeParts | undefined;
  /** The patterns of what is copied. */
  readonly replicate: readonly string[];
  readonly hitRate: number | undefined;
}

/** An edge as `meridian status` shows it. */
export async function edgeStatus({
  parts: open,
  replicate,
  hitRate,
  clusterId = '',
  ...seen
}: Seen): Promise<NodeStatus> {
  // They may be closed and opened anew while they are asked.
  const parts = await Promise.all(
    (open?.all ?? []).map(async ({ part, loop }) => ({
      ...(await part.status()),
      includes: part.kind === 'copy' ? replicate : ['*'],
      state: loop.state,
      ...(loop.upstreamName === undefined ? {} : { upstream: loop.upstreamName }),
    })),
  );
  const unknown = open?.filters.unknown ?? [];
  return {
    ...seen,
    clusterId,
    notes: [
      ...(seen.ready ? [] : ['no upstream is reached and nothing has caught up yet']),
      ...unknown.map((pattern) => `--replicate ${pattern} names no namespace yet`),
      ...(open?.all ?? []).flatMap(({ part, loop: { trouble } }) => {
        return trouble === undefined ? [] : [`the ${part.kind} hears nothing new: ${trouble}`];
      }),
    ],
    parts,
    followers: open?.copy?.relay.followers() ?? [],
    readOnly: false,
    ...(hitRate === undefined ? {} : { hitRate }),
  };
}
