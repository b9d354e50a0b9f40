import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpCall } from './exchange.ts';

/** A family of routes that a node's HTTP listener carries beside its own: one protocol, one set of paths. */
export interface HttpSurface {
  /** True where the request is this surface's. Judges by method, path and headers alone and throws nothing. */
  matches(request: IncomingMessage): boolean;
  /** True where a browser may ask for it whatever site it shows, under any name of the node. Default: nothing is. */
  isForEverySite?(request: IncomingMessage): boolean;
  /**
   * Answers the request, to its end. The call's signal is aborted when the client goes away and when the node stops;
   * its deadline is the listener's bound on one exchange. What is thrown is answered by the listener in its own words
   * (a JSON object with `code` and `message`) if no header has been sent, so a surface translates its errors itself.
   * Undefined where it is answered already: whatever is in memory costs no promise.
   */
  handle(request: IncomingMessage, response: ServerResponse, call: HttpCall): Promise<void> | undefined;
}
