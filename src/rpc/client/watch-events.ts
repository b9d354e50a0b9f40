import type { Position } from '../../model/position.ts';
import type { Session } from '../../model/session.ts';
import type { Stamp } from '../../model/stamp.ts';
import { decodePosition, decodeStamp, optional } from '../codec/record-codec.ts';
import type { WireWatchResponse } from '../server/watch-messages.ts';

export interface WatchRequest {
  /** Title or id. */
  readonly namespace: string;
  readonly prefix: string;
  readonly cursor?: string;
  /** Without a cursor: begin with all records there are. */
  readonly fromStart: boolean;
  /** Changes of namespaces that the title is understood by; default none. */
  readonly session?: Session;
}

interface Written {
  readonly key: string;
  readonly stamp: Stamp;
  readonly position: Position;
}

/** What a node's watch tells. If `cursor` is set, a watch may resume after the event. */
export type WatchEvent = (
  | ({
      readonly kind: 'put';
      readonly value?: Uint8Array;
      readonly metadata?: string;
      readonly expiresAt?: number;
    } & Written)
  | ({ readonly kind: 'delete' } & Written)
  | { readonly kind: 'reset' }
  | { readonly kind: 'caught-up' }
  | { readonly kind: 'progress' }
) & { readonly cursor?: string };

export async function* watchEvents(messages: AsyncIterable<WireWatchResponse>): AsyncGenerator<WatchEvent> {
  for await (const message of messages) {
    const at = message.cursor === '' ? {} : { cursor: message.cursor };
    if (message.change) yield { ...changeOf(message.change), ...at };
    else if (message.reset === true) yield { kind: 'reset', ...at };
    else if (message.caughtUp === true) yield { kind: 'caught-up', ...at };
    else yield { kind: 'progress', ...at };
  }
}

function changeOf(change: NonNullable<WireWatchResponse['change']>): WatchEvent {
  const written = {
    key: change.key,
    stamp: decodeStamp(change.version),
    position: decodePosition(change.position),
  };
  if (!change.found) return { kind: 'delete', ...written };
  return {
    kind: 'put',
    ...written,
    ...(change.valueOmitted ? {} : { value: change.value }),
    ...optional('metadata', change.metadata),
    ...optional('expiresAt', change.expiresAt),
  };
}
