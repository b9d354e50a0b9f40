/** One thing that a watch tells. */
export type Change<Metadata = unknown> = (
  | {
      readonly kind: 'put';
      readonly key: string;
      /** `null` where it is larger than what travels with a watch (1 MiB): get the key. */
      readonly value: Uint8Array | null;
      readonly metadata: Metadata | null;
      /** The metadata's JSON text, where numbers have all their digits; `null` = none. */
      readonly metadataText: string | null;
      /** Seconds since 1970; `null` = never. */
      readonly expiration: number | null;
      readonly version: string;
    }
  | { readonly kind: 'delete'; readonly key: string; readonly version: string }
  /** The watch was away for too long: forget all it has told; every record follows. */
  | { readonly kind: 'reset' }
  /** All that was missed, or was there at the beginning, has been told. Comes again after each interruption. */
  | { readonly kind: 'caught-up' }
) & {
  /** Hand it to `since` to go on from behind this change; set where that is possible. */
  readonly cursor?: string;
};

export interface WatchOptions {
  /** Only keys that start so. */
  readonly prefix?: string;
  /** The cursor of an earlier change. Default: from when a node takes up the watch, once the iteration has begun. */
  readonly since?: string;
  /** Without `since`: begin with every record there is. */
  readonly fromStart?: boolean;
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal;
}
