import type { Call } from './call.ts';
import type { Cluster, NodeStatus, Reports, Surroundings } from './cluster.ts';
import type { Feed } from './feed.ts';
import type { KeyValue } from './key-value.ts';
import type { Namespaces } from './namespaces.ts';
import type { Tokens } from './token.ts';

/**
 * The one idea: anything that answers reads and writes and can be followed. An origin is one over a durable store, an
 * edge over a copy or cache and another Upstream, the RPC client over a connection, the simulator's link over a fake
 * network.
 */
export interface Upstream extends KeyValue, Feed, Namespaces, Cluster, Tokens {}

/** What origins are to each other: an Upstream that also reports on a member that is being removed. */
export interface Peer extends Upstream, Reports {}

/** Milliseconds that the nodes around a node have to tell their status; a node that is late is left out. */
export const aroundMs = 2_000;
/** Milliseconds for which all askers are told the same: each answer asks many nodes. */
export const aroundKeptMs = 250;

/** What a node knows of the nodes around it; nothing if it is one that asks no others. */
export async function around(node: Upstream | (Upstream & Surroundings), call: Call): Promise<readonly NodeStatus[]> {
  return 'around' in node ? node.around(call) : [];
}
