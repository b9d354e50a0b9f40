import type { TokenSource } from '../../access/grant.ts';
import type { Edge } from '../../edge/edge.ts';
import type { Call } from '../../model/call.ts';
import type { NodeStatus, Surroundings } from '../../model/cluster.ts';
import type { Upstream } from '../../model/upstream.ts';

export interface WorkerNodeOptions {
  /** This process's own: a cache of everything. */
  readonly edge: Edge;
  /** The process that holds the edge's copies. */
  readonly keeper: Upstream;
  /** Of all processes of the edge. */
  readonly statusOfAll: (call: Call) => Promise<NodeStatus>;
}

/**
 * An edge of several processes as whoever reaches one of its workers sees it: reads and writes are the worker's own, what
 * speaks of the edge as a whole is the keeper's (its followers, its digests) or that of all (its status).
 */
export function workerNode({ edge, keeper, statusOfAll }: WorkerNodeOptions): Upstream & TokenSource & Surroundings {
  return {
    peek: (request) => edge.peek(request),
    get: (request, call) => edge.get(request, call),
    list: (request, call) => edge.list(request, call),
    write: (request, call) => edge.write(request, call),
    follow: (open, messages, signal) => {
      return (open.role === 'watch' ? edge : keeper).follow(open, messages, signal);
    },
    create: (title, call) => edge.create(title, call),
    find: (name, call, session) => edge.find(name, call, session),
    namespaces: (call) => edge.namespaces(call),
    rename: (name, title, call) => edge.rename(name, title, call),
    remove: (name, call) => edge.remove(name, call),
    moveHome: (name, origin, call) => edge.moveHome(name, origin, call),
    createToken: (request, call) => edge.createToken(request, call),
    tokens: (call) => edge.tokens(call),
    rotateToken: (request, call) => edge.rotateToken(request, call),
    revokeToken: (name, call) => edge.revokeToken(name, call),
    knowsTokens: () => edge.knowsTokens(),
    token: (id) => edge.token(id),
    namespace: (name) => edge.namespace(name),
    members: (call) => edge.members(call),
    removeMember: (request, call) => edge.removeMember(request, call),
    status: (call) => statusOfAll(call),
    around: (call) => edge.around(call),
    digest: (request, call) => keeper.digest(request, call),
    digestRange: (request, call) => edge.digestRange(request, call),
  };
}
