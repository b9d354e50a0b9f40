import type { Change, FeedEvent } from '../../model/feed.ts';
import { registryNamespace } from '../../model/namespace.ts';
import type { Clock } from '../../runtime/clock.ts';
import { optional, type WirePosition } from '../codec/record-codec.ts';

export interface WireWatchResponse {
  readonly event?: 'change' | 'reset' | 'caughtUp';
  readonly change?: {
    readonly key: string;
    readonly found: boolean;
    readonly value: Uint8Array;
    readonly valueOmitted: boolean;
    readonly metadata?: string | null;
    readonly expiresAt?: number | null;
    readonly version: string;
    readonly position: WirePosition | null;
  } | null;
  readonly reset?: boolean;
  readonly caughtUp?: boolean;
  readonly cursor: string;
}

/**
 * Milliseconds between two cursors of a watch that is sent nothing else. A cursor that stays behind for as long as
 * deletions are kept (a day) falls below the floor: the watch would be sent everything anew, without having missed
 * anything.
 */
const cursorEveryMs = 60_000;

/** What a watch is sent for the events of its feed, without the registry's. */
export class WatchMessages {
  readonly #clock: Clock;
  /** No cursor could be given after the last message. */
  #owes = false;
  #givenMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#givenMs = clock.monotonicMs();
  }

  /** `cursor` makes the cursor after the event; undefined if no watch may resume there. */
  of(event: FeedEvent, cursor: (() => string) | undefined): readonly WireWatchResponse[] {
    const told = toldBy(event);
    if (told.length === 0) return cursor !== undefined && this.#cursorIsDue() ? [{ cursor: this.#given(cursor) }] : [];
    this.#owes = cursor === undefined;
    const behind = cursor === undefined ? '' : this.#given(cursor);
    return told.map((message, index) => ({ ...message, cursor: index === told.length - 1 ? behind : '' }));
  }

  #cursorIsDue(): boolean {
    return this.#owes || this.#clock.monotonicMs() - this.#givenMs >= cursorEveryMs;
  }

  #given(cursor: () => string): string {
    this.#owes = false;
    this.#givenMs = this.#clock.monotonicMs();
    return cursor();
  }
}

function toldBy(event: FeedEvent): ReadonlyArray<Omit<WireWatchResponse, 'cursor'>> {
  switch (event.kind) {
    case 'resync':
      return [{ reset: true }];
    case 'caught-up':
      return [{ caughtUp: true }];
    case 'changes':
      return event.records
        .filter(({ namespace }) => namespace !== registryNamespace)
        .map((record) => ({ change: changeOf(record) }));
    case 'opened':
    case 'echo':
      return [];
  }
}

function changeOf(record: Change): NonNullable<WireWatchResponse['change']> {
  const { key, stamp, position, expiresAt } = record;
  return {
    key,
    found: record.kind !== 'tombstone',
    value: record.kind === 'live' ? record.value : new Uint8Array(),
    valueOmitted: record.kind === 'announcement',
    ...optional('metadata', record.kind === 'tombstone' ? undefined : record.metadata),
    ...optional('expiresAt', expiresAt),
    version: stamp,
    position,
  };
}
