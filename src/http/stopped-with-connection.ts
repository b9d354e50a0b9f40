import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/**
 * A request that Node reads no further once its connection was cut. Node parses 64 KiB at once, up to 1,900 requests, whatever
 * becomes of the connection meanwhile: where a pipeline is too long, and its connection is cut at the seventeenth, all
 * others would be made still, for 3.6 MB of heap a connection.
 *
 *     GET / │ GET / │ … │ GET / │ GET / │ GET / …
 *       1       2          17      18 ← is an upgrade: what follows is not HTTP, and not parsed
 *                          └ the connection is cut
 *
 * Nobody serves the upgrade of a connection that is gone, so Node drops it, and what it has not parsed.
 */
export class StoppedWithConnection extends IncomingMessage {
  constructor(socket: Socket) {
    super(socket);
    if (!socket.destroyed) return;
    // Node asks for nothing but this before it makes an answer, and assigns it what it finds in the request.
    Object.defineProperty(this, 'upgrade', { get: () => true, set: () => {} });
    // With an upgrade Node lets its own listener go.
    socket.on('error', () => {});
  }
}
