import type { DrainProgress } from '../model/cluster.ts';

/** A node that serves. */
export interface RunningNode {
  /** `host:port` of the gRPC listener, with the port that the machine chose where 0 was asked for. */
  readonly grpcAddress: string;
  /** `host:port` of the HTTP listener. */
  readonly httpAddress: string;
  /** `host:port` of the Redis listener, where there is one. */
  readonly redisAddress?: string;
  /** Aborted where the node is to be stopped and started again: an origin that begins anew. Unset = never. */
  readonly mustReopen?: AbortSignal;
  /** Aborted, with a text that says why, where the node is to be stopped for good: a later opening of its member runs. */
  readonly replaced?: AbortSignal;
  /** Aborted where an administrator asked the process to end. */
  readonly stopAsked: AbortSignal;
  /** Takes no new traffic from now on, and says how far that is. Idempotent. */
  drain(): Promise<DrainProgress>;
  /** Asks the node whether it can answer reads truthfully. */
  ready(): Promise<boolean>;
  /**
   * Says at once that it is not ready, takes no new calls, waits for those under way up to the drain timeout, cuts the
   * rest, and closes its stores. Idempotent.
   */
  stop(): Promise<void>;
}
