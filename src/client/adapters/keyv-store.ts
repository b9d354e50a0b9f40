import { EventEmitter } from 'node:events';
import { limits } from '../../model/limits.ts';
import type { Namespace } from '../namespace.ts';
import { decodeText } from '../value-type.ts';

/** Deletions of one batch while a store is cleared. */
const batchKeysMax = 1000;

/** What the adapter needs of a namespace. */
export type KeyvNamespace = Pick<Namespace, 'get' | 'put' | 'write' | 'keys' | 'entries'>;

/**
 * A storage adapter for Keyv 5 over a namespace: `new Keyv({ store: new KeyvStore(cluster.namespace('cache')) })`.
 * Values are what Keyv serialised, up to 25 MiB; keys with Keyv's prefix up to 512 bytes. A ttl is rounded up to whole
 * seconds here, while Keyv itself looks at the milliseconds. Keyv's `useKeyPrefix` stays true: without prefixes its
 * namespaces would share their keys, and `clear` would find none. The cluster handle stays the caller's, to be closed by him.
 * Each method rejects with the errors of `Namespace`.
 */
export class KeyvStore extends EventEmitter {
  /**
   * Keyv reads these, and some of its users write into them. Keyv 5 offers its own `iterator()` over a fixed list of
   * stores alone, so that over this one the method below is to be called.
   */
  readonly opts: { dialect: string; url: string; [option: string]: unknown } = { dialect: 'meridian', url: '' };
  /** Keyv's namespace, a prefix of keys, set by Keyv. */
  namespace: string | undefined = undefined;
  readonly #namespace: KeyvNamespace;

  constructor(namespace: KeyvNamespace) {
    // Keyv listens for errors, which our promises tell by rejecting.
    super();
    this.#namespace = namespace;
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.#namespace.get(key)) ?? undefined;
  }

  /** In the order of the keys. */
  async getMany(keys: readonly string[]): Promise<Array<string | undefined>> {
    const values: Array<string | undefined> = [];
    for (const some of slices(keys, limits.batchGetKeysMax)) {
      const found = await this.#namespace.get(some);
      values.push(...some.map((key) => found.get(key) ?? undefined));
    }
    return values;
  }

  /** `ttlMs` in milliseconds; unset or 0 = for ever. */
  async set(key: string, value: string | Uint8Array, ttlMs?: number): Promise<void> {
    const options = ttlMs === undefined || ttlMs <= 0 ? {} : { expirationTtl: Math.ceil(ttlMs / 1000) };
    await this.#namespace.put(key, value, options);
  }

  /** Whether the key was there. */
  async delete(key: string): Promise<boolean> {
    return this.deleteMany([key]);
  }

  /** Whether any of the keys was there. */
  async deleteMany(keys: readonly string[]): Promise<boolean> {
    const were = await this.hasMany(keys);
    await this.#deleteAll(keys);
    return were.includes(true);
  }

  async has(key: string): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  async hasMany(keys: readonly string[]): Promise<boolean[]> {
    return (await this.getMany(keys)).map((value) => value !== undefined);
  }

  /** Deletes Keyv's namespace; where Keyv has none, all keys. */
  async clear(): Promise<void> {
    const keys: string[] = [];
    for await (const { name } of this.#namespace.keys({ prefix: this.#prefix(this.namespace) })) {
      keys.push(name);
      if (keys.length === batchKeysMax) await this.#deleteAll(keys.splice(0));
    }
    await this.#deleteAll(keys);
  }

  /** Keys, with their prefix, and serialised values. */
  async *iterator(namespace: string | undefined = this.namespace): AsyncGenerator<[string, string], void> {
    for await (const { name, value } of this.#namespace.entries({ prefix: this.#prefix(namespace) })) {
      yield [name, decodeText(value)];
    }
  }

  #prefix(namespace: string | undefined): string {
    return namespace === undefined || namespace === '' ? '' : `${namespace}:`;
  }

  async #deleteAll(keys: readonly string[]): Promise<void> {
    for (const some of slices(keys, batchKeysMax)) {
      await this.#namespace.write(some.map((key) => ({ kind: 'delete', key })));
    }
  }
}

function* slices(keys: readonly string[], length: number): Generator<readonly string[]> {
  for (let from = 0; from < keys.length; from += length) yield keys.slice(from, from + length);
}
