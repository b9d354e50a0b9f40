import type { Position } from '../model/position.ts';
import type { Session } from '../model/session.ts';
import type { Stamp } from '../model/stamp.ts';

export interface WatchRequest {
  /** Title or id. */
  readonly namespace: string;
  readonly prefix: string;
  /** From an earlier event; unset = from now. */
  readonly cursor?: string;
  /** Without a cursor: begin with all records there are. */
  readonly fromStart: boolean;
  /** Changes of namespaces that the title is to be understood by; default none. */
  readonly session?: Session;
}

/** What a node's watch tells. Where `cursor` is set, a watch may resume behind the event. */
export type WatchEvent =
  | {
      readonly kind: 'put';
      readonly key: string;
      /** Unset where it is larger than what travels with a watch (1 MiB): get the key. */
      readonly value?: Uint8Array;
      /** JSON text. */
      readonly metadata?: string;
      /** Seconds since 1970. */
      readonly expiresAt?: number;
      readonly stamp: Stamp;
      readonly position: Position;
      readonly cursor?: string;
    }
  | {
      readonly kind: 'delete';
      readonly key: string;
      readonly stamp: Stamp;
      readonly position: Position;
      readonly cursor?: string;
    }
  /** Everything seen so far is void; all records follow. */
  | { readonly kind: 'reset'; readonly cursor?: string }
  /** The watch has reached the present. */
  | { readonly kind: 'caught-up'; readonly cursor?: string }
  /** Only the cursor goes on. */
  | { readonly kind: 'progress'; readonly cursor?: string };
