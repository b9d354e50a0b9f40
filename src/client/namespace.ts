import type { Answer, AnswerSource } from './answer.ts';
import type { BatchMutation, BatchResult } from './batch-write.ts';
import type { CallOptions, DeleteOptions, PutOptions, ReadOptions, WriteOptions } from './call-options.ts';
import type { Change, WatchOptions } from './change.ts';
import type { Entry, Key, ListOptions, ListResult } from './listing.ts';
import type { ValueBody } from './value-body.ts';

/** ReadOptions with the type that the value is wanted as. */
export interface GetOptions<Type> extends ReadOptions {
  readonly type: Type;
}

/** As text, which is the default. */
export interface TextOptions extends ReadOptions {
  readonly type?: 'text' | undefined;
}

/**
 * The keys of one namespace. Assignable to `KVNamespace` of @cloudflare/workers-types, and more: each answer of
 * `getWithMetadata` and `list` tells its version, source and proven age; writes take conditions; there are watches.
 *
 * Every method rejects with a MeridianError: INVALID_ARGUMENT (a limit is broken), NOT_FOUND (unknown namespace),
 * UNAVAILABLE (nobody can answer), RESOURCE_EXHAUSTED (try again after `details.retryAfterMs`), DEADLINE_EXCEEDED
 * (a write may have happened or not), CANCELLED (the signal).
 *
 * Where a stream is wanted, the type parameter names the stream type of your environment, should it have one of its own.
 */
export interface Namespace {
  /** Title or id, as given. */
  readonly name: string;

  /** A key's value, or `null` where it is absent. For up to 100 keys at once, a Map in their order (text or json). */
  get(key: string, options?: TextOptions): Promise<string | null>;
  get(key: string, type: 'text'): Promise<string | null>;
  get<Value = unknown>(key: string, type: 'json'): Promise<Value | null>;
  get(key: string, type: 'arrayBuffer'): Promise<ArrayBuffer | null>;
  get<Stream = ReadableStream<Uint8Array>>(key: string, type: 'stream'): Promise<Stream | null>;
  get<Value = unknown>(key: string, options?: GetOptions<'json'>): Promise<Value | null>;
  get(key: string, options?: GetOptions<'arrayBuffer'>): Promise<ArrayBuffer | null>;
  get<Stream = ReadableStream<Uint8Array>>(key: string, options?: GetOptions<'stream'>): Promise<Stream | null>;
  get(keys: readonly string[], options?: TextOptions | 'text'): Promise<Map<string, string | null>>;
  get<Value = unknown>(
    keys: readonly string[],
    options?: GetOptions<'json'> | 'json',
  ): Promise<Map<string, Value | null>>;

  /**
   * As `get`, with metadata, expiry, version, source and proven age. Of many keys an absent one has `null`, as over the
   * binding, whose types leave that out too.
   */
  getWithMetadata<Metadata = unknown>(key: string, options?: TextOptions | 'text'): Promise<Answer<string, Metadata>>;
  getWithMetadata<Value = unknown, Metadata = unknown>(
    key: string,
    options: GetOptions<'json'> | 'json',
  ): Promise<Answer<Value, Metadata>>;
  getWithMetadata<Metadata = unknown>(
    key: string,
    options: GetOptions<'arrayBuffer'> | 'arrayBuffer',
  ): Promise<Answer<ArrayBuffer, Metadata>>;
  getWithMetadata<Metadata = unknown, Stream = ReadableStream<Uint8Array>>(
    key: string,
    options: GetOptions<'stream'> | 'stream',
  ): Promise<Answer<Stream, Metadata>>;
  getWithMetadata<Metadata = unknown>(
    keys: readonly string[],
    options?: TextOptions | 'text',
  ): Promise<Map<string, Answer<string, Metadata>>>;
  getWithMetadata<Value = unknown, Metadata = unknown>(
    keys: readonly string[],
    options?: GetOptions<'json'> | 'json',
  ): Promise<Map<string, Answer<Value, Metadata>>>;

  /** Writes a value of at most 25 MiB; metadata and expiry are replaced with it. Use `write` to learn its version. */
  put(key: string, value: ValueBody, options?: PutOptions): Promise<void>;
  /** Deletes a key, whether it is there or not. */
  delete(key: string, options?: DeleteOptions): Promise<void>;
  /** All of the changes or none: 1 to 10,000, 100 MB together, applied in order. */
  write(mutations: readonly BatchMutation[], options?: WriteOptions): Promise<BatchResult>;

  /** One page of keys in the order of their UTF-8 bytes. */
  list<Metadata = unknown>(options?: ListOptions & ReadOptions): Promise<ListResult<Metadata>>;
  /** All keys, page after page. */
  keys<Metadata = unknown>(options?: PrefixOptions): AsyncIterable<Key<Metadata>>;
  /**
   * All keys with their values, page after page. A key that goes away meanwhile is left out. One that is damaged ends it with
   * DATA_LOSS, unless `onDamaged` is given.
   */
  entries<Metadata = unknown>(options?: EntriesOptions): AsyncIterable<Entry<Metadata>>;

  /**
   * Later and later records of each key, at least once, without gaps across interruptions, which it mends by itself;
   * versions between may be left out, and an expiry is no change.
   */
  watch<Metadata = unknown>(options?: WatchOptions): AsyncIterable<Change<Metadata>>;
}

export interface EntriesOptions extends PrefixOptions {
  /** Told of each key whose record is damaged; the iteration passes it by. */
  readonly onDamaged?: (name: string) => void;
}

/** Which keys an iteration covers, and what its reads accept. `timeoutMs` is that of each page. */
export interface PrefixOptions extends ReadOptions, CallOptions {
  readonly prefix?: string;
  /** Go on behind an earlier entry or page with the same prefix. */
  readonly cursor?: string;
  /** Told where each page and each value comes from, and how old it can be. */
  readonly onAnswer?: (source: AnswerSource) => void;
}
