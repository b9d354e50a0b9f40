import type { Upstream } from './upstream.ts';

/** What a request says of its sender. */
export interface Caller {
  /** As in HTTP's header: `Bearer TOKEN`. Unset = the request brings none. */
  readonly authorization?: string | undefined;
  /** The remote address, without the port; failures are counted by it. */
  readonly address: string;
  /** What the caller proved with the certificate of the connection; used if there is no token. Default: nothing. */
  readonly certificate?: () => CallerCertificate | undefined;
  /** The connection on which the caller comes. Unset = it is not counted. */
  readonly connection?: CallerConnection | undefined;
}

/** The part of a connection by which its caller is known again: a socket, or a session on one. */
export interface CallerConnection {
  readonly destroyed: boolean;
  once(event: 'close', run: () => void): unknown;
}

/** A certificate that a CA of the node's choice vouches for. */
export interface CallerCertificate {
  /** The names of its subject, each as good as the other. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly validToMs: number;
}

/** Every request of every port comes in here: its caller decides what it is served with. */
export interface Entrance {
  /**
   * The node as this caller may use it: each method checks the caller's rights.
   * @throws UNAUTHENTICATED; RESOURCE_EXHAUSTED if the caller's address failed too often; UNAVAILABLE while this node
   * knows no tokens yet
   */
  enter(caller: Caller): Upstream;
  /**
   * Shares of the node's time go to these: a caller who is authenticated on this connection has one share for all its
   * connections; strangers of one address have one together. Where nobody has to authenticate, each connection has its
   * own.
   */
  shareOf(connection: CallerConnection, address: string): object | string;
  /**
   * Does something to the node itself, for a caller who may administer everything, and reports it to the audit.
   * @throws as `enter`; PERMISSION_DENIED; what `run` throws
   */
  administer<T>(caller: Caller, action: 'node.drain' | 'node.stop', run: () => Promise<T>): Promise<T>;
}

/** The entrance of a node that authenticates nobody. */
export function openEntrance(upstream: Upstream): Entrance {
  return { enter: () => upstream, shareOf: (connection) => connection, administer: (_caller, _action, run) => run() };
}
