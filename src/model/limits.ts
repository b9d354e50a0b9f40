/**
 * Hard limits of the data model: those of Workers KV (developers.cloudflare.com/kv/platform/limits), where it has one.
 * They are part of the protocol and not configurable.
 */
export const limits = {
  /** UTF-8 bytes of a key; at least 1. */
  keyBytesMax: 512,
  /** Bytes of a value; 0 is allowed. */
  valueBytesMax: 25 * 1024 * 1024,
  /** Bytes of metadata, serialised as JSON. */
  metadataBytesMax: 1024,
  /** UTF-8 bytes of a namespace's title; at least 1. */
  titleBytesMax: 512,
  /** Keys a page of a list; also the default. */
  listKeysMax: 1000,
  /** Keys of one batch get. */
  batchGetKeysMax: 100,
  /** Mutations of one batch write. */
  batchMutationsMax: 10_000,
  /** Bytes of all keys, values and metadata of one batch write. */
  batchBytesMax: 100 * 1000 * 1000,
  /** Seconds from now: the least ttl of our own API. (Workers KV's surfaces refuse less than 60.) */
  ttlSecondsMin: 1,
  /** Seconds: the largest expiry accepted, that of a four-digit year, so that a mistaken unit is noticed. */
  expirySecondsMax: 253_402_300_799,
  /** Bytes of one unary message, gRPC's default limit in every language. */
  unaryMessageBytesMax: 4 * 1024 * 1024,
  /** Components of a version vector that a request may carry. */
  vectorComponentsMax: 1024,
} as const;
