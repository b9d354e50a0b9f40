import type { CallCounts, ClockStatus, HotKey, NodeIdentity, NodeStatus, Track } from '../model/cluster.ts';
import { clockNotes } from '../replication/clocks/clock-notes.ts';
import { storageNotes, storageStatus } from '../replication/storage-notes.ts';
import type { EdgeScopes } from './edge-scopes.ts';
import type { Patterns } from './replicated-filter.ts';

interface Seen {
  readonly node: NodeIdentity;
  readonly clusterId: string | undefined;
  readonly version: string;
  readonly ready: boolean;
  readonly uptimeMs: number;
  /** Undefined while the scopes are opened anew. */
  readonly scopes: EdgeScopes | undefined;
  readonly patterns: Patterns;
  /** Titles that the patterns name and that the upstreams refuse to this edge. */
  readonly refused: readonly string[];
  readonly clock: ClockStatus;
  readonly hitRate: number | undefined;
  readonly calls: CallCounts | undefined;
  readonly hotKeys: readonly HotKey[];
  readonly tracks: readonly Track[];
  /** Further notes. */
  readonly said: readonly string[];
}

/** An edge as `meridian status` shows it. */
export async function edgeStatus(all: Seen): Promise<NodeStatus> {
  const { scopes: open, patterns, refused, hitRate, calls, clusterId = '', said, ...seen } = all;
  // The scopes may be closed and opened anew while they are asked.
  const scopes = await Promise.all(
    (open?.all ?? []).map(async ({ scope, loop }) => ({
      ...(await scope.status()),
      filter: scope.kind === 'copy' ? patterns.replicate : (patterns.cache ?? ['*']),
      state: loop.state,
      ...(loop.upstreamName === undefined ? {} : { upstream: loop.upstreamName }),
    })),
  );
  const storage = storageStatus((open?.all ?? []).map(({ scope }) => scope.ledger.store));
  const unknown = open?.filters.unknown ?? [];
  return {
    ...seen,
    clusterId,
    notes: [
      ...said,
      ...(seen.ready ? [] : ['no upstream is reached and nothing has caught up yet']),
      ...storageNotes(storage),
      ...clockNotes(seen.clock),
      ...unknown.map((flag) => `${flag} names no namespace yet`),
      ...refused.map((title) => `--cache names ${title}, which the token of this edge may not replicate`),
      ...(open?.all ?? []).flatMap(({ scope, loop: { trouble } }) => {
        return trouble === undefined ? [] : [`the ${scope.kind} hears nothing new: ${trouble}`];
      }),
    ],
    scopes,
    followers: open?.copy?.relay.followers() ?? [],
    readOnly: false,
    storage,
    ...(hitRate === undefined ? {} : { hitRate }),
    ...calls,
  };
}
