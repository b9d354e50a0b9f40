import type { Http2Server } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

/**
 * gRPC's library makes an HTTP/2 server for each address and hides it and its sessions, where alone windows and the
 * number of connections and streams can be governed. This is the one place that reaches in. `found` is called with each
 * server before it listens. False if this version of the library is built otherwise: then it works without.
 */
export function onHttp2Server(server: Server, found: (http2: Http2Server) => void): boolean {
  const inner = server as unknown as { createHttp2Server?: (credentials: unknown) => Http2Server };
  const create = inner.createHttp2Server?.bind(server);
  if (create === undefined) return false;
  inner.createHttp2Server = (credentials) => {
    const http2 = create(credentials);
    found(http2);
    return http2;
  };
  return true;
}
