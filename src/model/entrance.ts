import type { Upstream } from './upstream.ts';

/** What a request says of whoever sent it. */
export interface Caller {
  /** As in HTTP's header: `Bearer TOKEN`. Unset = the request brings none. */
  readonly authorization?: string | undefined;
  /** The remote address, without the port; failures are counted by it. */
  readonly address: string;
  /** What he proved with the certificate of his connection; looked at where there is no token. Default: nothing. */
  readonly certificate?: () => CallerCertificate | undefined;
  /** By which he comes. Unset = it is not counted. */
  readonly connection?: CallerConnection | undefined;
}

/** As much of a connection as its caller is known again by: a socket, or a session on one. */
export interface CallerConnection {
  readonly destroyed: boolean;
  once(event: 'close', run: () => void): unknown;
}

/** A certificate that a CA of the node's choice vouches for. */
export interface CallerCertificate {
  /** Of its subject, each as good as the other. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly validToMs: number;
}

/** Where every request of every port comes in: who its caller is decides what it is served with. */
export interface Entrance {
  /**
   * The node as this caller may use it: each method checks his rights.
   * @throws UNAUTHENTICATED; RESOURCE_EXHAUSTED where his address failed too often; UNAVAILABLE while this node knows no
   * tokens yet
   */
  enter(caller: Caller): Upstream;
  /**
   * Among whom the node's time is shared out: whoever proved himself on this connection, with all that he has; strangers
   * of one address together. Where nobody is asked who he is, each connection by itself.
   */
  shareOf(connection: CallerConnection, address: string): object | string;
  /**
   * Does something to the node itself, for a caller who may administer everything, and tells the audit of it.
   * @throws as `enter`; PERMISSION_DENIED; what `run` throws
   */
  administer<T>(caller: Caller, action: 'node.drain' | 'node.stop', run: () => Promise<T>): Promise<T>;
}

/** Of a node that asks nobody who he is. */
export function openEntrance(upstream: Upstream): Entrance {
  return { enter: () => upstream, shareOf: (connection) => connection, administer: (_caller, _action, run) => run() };
}
