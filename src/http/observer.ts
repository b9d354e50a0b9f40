/** What the HTTP listener tells whoever measures. Every method returns at once and throws nothing. */
export interface HttpObserver {
  /** An exchange is over; `statusCode` is 0 where the client went away first. */
  answered(surface: string, statusCode: number, elapsedMs: number): void;
  /** Turned away before any surface saw it: `malformed`, `too-many-connections`, `too-many-pipelined`. */
  rejected(reason: string): void;
}
