import { limits } from '../../model/limits.ts';
import { type Stamp, stampWallMs } from '../../model/stamp.ts';
import type { BatchMutation } from '../batch-write.ts';
import type { Namespace } from '../namespace.ts';

export interface UnstorageDriverOptions {
  readonly namespace: Pick<Namespace, 'get' | 'getWithMetadata' | 'put' | 'delete' | 'write' | 'keys' | 'watch'>;
  /** A prefix of all keys, without the colon behind it. */
  readonly base?: string;
  /** Told why a watch ended for good, such as a namespace that is gone; default: a warning of the process. */
  readonly onWatchError?: (error: Error) => void;
}

/** What goes with one call of unstorage. */
export interface UnstorageCallOptions {
  /** Seconds, at least 1. */
  readonly ttl?: number;
}

interface Entry<Value> {
  readonly key: string;
  readonly value: Value;
  readonly options?: UnstorageCallOptions | undefined;
}

/** What `Storage.getMeta` tells. A type and no interface, as unstorage asks for fields of any name. */
export type UnstorageMeta = {
  /** When it was written, by the clock of the origin that took it. */
  readonly mtime: Date;
  /** Seconds since 1970; unset = never. */
  readonly expiration?: number;
  readonly version: string;
};

/** Deletions of one batch while a storage is cleared. */
const batchKeysMax = 1000;

/**
 * A driver for unstorage over a namespace: `createStorage({ driver: unstorageDriver({ namespace }) })`. Its `watch` is
 * pushed by the cluster until it is stopped or the storage disposed of; `setItems` writes all or none. The cluster handle stays the caller's. Each method rejects with
 * the errors of `Namespace`.
 */
export function unstorageDriver(options: UnstorageDriverOptions): UnstorageDriver {
  return new UnstorageDriver(options);
}

/** Its methods are properties, since unstorage calls them without their object. */
export class UnstorageDriver {
  readonly name = 'meridian';
  readonly options: UnstorageDriverOptions;
  readonly flags = { ttl: true };
  readonly #prefix: string;
  readonly #watches = new Set<AbortController>();

  constructor(options: UnstorageDriverOptions) {
    this.options = options;
    this.#prefix = options.base === undefined || options.base === '' ? '' : `${options.base}:`;
  }

  readonly hasItem = async (key: string): Promise<boolean> => {
    return (await this.getItem(key)) !== null;
  };

  readonly getItem = (key: string): Promise<string | null> => {
    return this.options.namespace.get(this.#prefix + key);
  };

  readonly getItems = async (
    items: ReadonlyArray<{ readonly key: string }>,
  ): Promise<Array<{ key: string; value: string | null }>> => {
    const found: Array<{ key: string; value: string | null }> = [];
    for (let from = 0; from < items.length; from += limits.batchGetKeysMax) {
      const some = items.slice(from, from + limits.batchGetKeysMax);
      const values = await this.options.namespace.get(some.map(({ key }) => this.#prefix + key));
      found.push(...some.map(({ key }) => ({ key, value: values.get(this.#prefix + key) ?? null })));
    }
    return found;
  };

  readonly getItemRaw = async (key: string): Promise<Uint8Array | null> => {
    const value = await this.options.namespace.get(this.#prefix + key, 'arrayBuffer');
    return value === null ? null : new Uint8Array(value);
  };

  readonly setItem = (key: string, value: string, { ttl }: UnstorageCallOptions = {}): Promise<void> => {
    return this.options.namespace.put(this.#prefix + key, value, ttl === undefined ? {} : { expirationTtl: ttl });
  };

  readonly setItemRaw = (
    key: string,
    value: string | Uint8Array | ArrayBuffer,
    { ttl }: UnstorageCallOptions = {},
  ): Promise<void> => {
    return this.options.namespace.put(this.#prefix + key, value, ttl === undefined ? {} : { expirationTtl: ttl });
  };

  /** All or none, up to 10,000 and 100 MB. */
  readonly setItems = async (items: ReadonlyArray<Entry<string>>, common: UnstorageCallOptions = {}): Promise<void> => {
    if (items.length === 0) return;
    const mutations = items.map(({ key, value, options = {} }): BatchMutation => {
      const ttl = options.ttl ?? common.ttl;
      return { kind: 'put', key: this.#prefix + key, value, ...(ttl === undefined ? {} : { expirationTtl: ttl }) };
    });
    await this.options.namespace.write(mutations);
  };

  readonly removeItem = (key: string): Promise<void> => {
    return this.options.namespace.delete(this.#prefix + key);
  };

  readonly getMeta = async (key: string): Promise<UnstorageMeta | null> => {
    const { version, expiration } = await this.options.namespace.getWithMetadata(this.#prefix + key);
    if (version === null) return null;
    const mtime = new Date(stampWallMs(version as Stamp));
    return { mtime, version, ...(expiration === null ? {} : { expiration }) };
  };

  readonly getKeys = async (base = ''): Promise<string[]> => {
    const keys: string[] = [];
    for await (const { name } of this.options.namespace.keys({ prefix: this.#prefix + base })) {
      keys.push(name.slice(this.#prefix.length));
    }
    return keys;
  };

  readonly clear = async (base = ''): Promise<void> => {
    const keys = await this.getKeys(base);
    for (let from = 0; from < keys.length; from += batchKeysMax) {
      const some = keys.slice(from, from + batchKeysMax);
      await this.options.namespace.write(some.map((key) => ({ kind: 'delete', key: this.#prefix + key })));
    }
  };

  /** Tells of each change, whoever makes it, from when a node has taken up the watch, which is a moment later. */
  readonly watch = (tell: (event: 'update' | 'remove', key: string) => unknown): (() => void) => {
    const { onWatchError = (error) => process.emitWarning(error) } = this.options;
    const stop = new AbortController();
    this.#watches.add(stop);
    this.#tellAll(tell, stop.signal).catch((error: Error) => {
      this.#watches.delete(stop);
      if (!stop.signal.aborted) onWatchError(error);
    });
    return () => {
      this.#watches.delete(stop);
      stop.abort();
    };
  };

  /** Ends every watch. The cluster handle stays open: it is its maker's. */
  readonly dispose = (): void => {
    for (const stop of this.#watches) stop.abort();
    this.#watches.clear();
  };

  async #tellAll(tell: (event: 'update' | 'remove', key: string) => unknown, signal: AbortSignal): Promise<void> {
    for await (const change of this.options.namespace.watch({ prefix: this.#prefix, signal })) {
      if (change.kind === 'put' || change.kind === 'delete') {
        tell(change.kind === 'put' ? 'update' : 'remove', change.key.slice(this.#prefix.length));
      }
    }
  }
}
