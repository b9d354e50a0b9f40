import type { CaughtUp, Changes, FollowStart, Opened, Resync } from '../../model/feed.ts';
import type { VersionVector } from '../../model/version-vector.ts';

/**
 * What a followed scope flows into: a store's copy or a cache. The follow loop asks it where to go on each time it
 * connects, and hands it the events of one stream in order, one at a time.
 */
export interface FeedSink {
  /** Where the scope stands, read from what is stored, never remembered. */
  start(): Promise<FollowStart>;
  /** A stream is open. Throws FAILED_PRECONDITION where it must not be followed. */
  opened(event: Opened): Promise<void>;
  /** Data events. Resolves once what they say is applied, so that an echo behind them proves something. */
  apply(event: Resync | Changes | CaughtUp): Promise<void>;
  /** What is synced to disk here, for acknowledgements. */
  durable(): VersionVector;
  /**
   * Takes an echo once everything before it is applied, with the server's wall clock as it was within the round trip
   * that ends now. Throws to end the stream: where the store was opened again meanwhile (rule R2), say, or clocks
   * differ too much.
   */
  checkEcho(serverWallMs: number, roundTripMs: number): void;
  /** The stream is over. */
  closed(): void;
}
