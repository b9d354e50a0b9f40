import { MeridianError } from '../model/errors.ts';
import { Backoff } from '../runtime/backoff.ts';
import type { Random } from '../runtime/random.ts';
import { type Answer, toAnswer } from './answer.ts';
import { type BatchMutation, type BatchResult, toMutation } from './batch-write.ts';
import { type ClientContext, inCall } from './call-frame.ts';
import type { DeleteOptions, PutOptions, ReadOptions, WriteOptions } from './call-options.ts';
import type { Change, WatchOptions } from './change.ts';
import type { Entry, Key, ListOptions, ListResult } from './listing.ts';
import type { Namespace, PrefixOptions } from './namespace.ts';
import { NamespaceReader } from './namespace-reader.ts';
import type { ValueBody } from './value-body.ts';
import { decodeValue, type ValueType } from './value-type.ts';
import { watch } from './watch.ts';

type Keys = string | readonly string[];
type TypeOrOptions = ValueType | (ReadOptions & { readonly type?: ValueType | undefined });

/** A namespace over a cluster handle. It holds nothing but its name: make as many as you like. */
export class NamespaceHandle implements Namespace {
  readonly name: string;
  /** The overloads stand in the interface; here is the one body behind them. */
  readonly get = (async (keys: Keys, options?: TypeOrOptions) => {
    const answers = await this.#answers(keys, options);
    if (!(answers instanceof Map)) return answers.value;
    return new Map([...answers].map(([key, { value }]) => [key, value]));
  }) as Namespace['get'];
  readonly getWithMetadata = ((keys: Keys, options?: TypeOrOptions) =>
    this.#answers(keys, options)) as Namespace['getWithMetadata'];
  readonly #context: ClientContext;
  readonly #random: Random;
  readonly #reader: NamespaceReader;

  constructor(context: ClientContext, random: Random, name: string) {
    this.#context = context;
    this.#random = random;
    this.name = name;
    this.#reader = new NamespaceReader(context, name);
  }

  async put(key: string, value: ValueBody, options: PutOptions = {}): Promise<void> {
    await this.write([{ ...options, kind: 'put', key, value }], options);
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<void> {
    await this.write([{ ...options, kind: 'delete', key }], options);
  }

  async write(mutations: readonly BatchMutation[], options: WriteOptions = {}): Promise<BatchResult> {
    const { endpoints, session } = this.#context;
    const { durability, durabilityTimeoutMs } = options;
    const asked = session.current;
    const answer = await inCall(this.#context, options, async (call) => {
      const request = {
        namespace: this.name,
        mutations: await Promise.all(mutations.map(toMutation)),
        session: asked,
        ...(durability === undefined ? {} : { durability }),
        ...(durabilityTimeoutMs === undefined ? {} : { durabilityTimeoutMs }),
      };
      return endpoints.write((node) => node.write(request, call));
    });
    session.answered(asked, answer.session);
    return {
      written: answer.written.map(({ stamp, expiresAt }) => ({ version: stamp, expiration: expiresAt ?? null })),
      durability: answer.durability,
      origin: answer.origin,
    };
  }

  list<Metadata>(options: ListOptions & ReadOptions = {}): Promise<ListResult<Metadata>> {
    return this.#reader.page(options);
  }

  keys<Metadata>(options: PrefixOptions = {}): AsyncIterable<Key<Metadata>> {
    return this.#reader.keys(options);
  }

  entries<Metadata>(options: PrefixOptions = {}): AsyncIterable<Entry<Metadata>> {
    return this.#reader.entries(options);
  }

  watch<Metadata>(options: WatchOptions = {}): AsyncIterable<Change<Metadata>> {
    const { prefix = '', since, fromStart = false, signal } = options;
    const request = { namespace: this.name, prefix, fromStart, ...(since === undefined ? {} : { cursor: since }) };
    const { closing } = this.#context;
    const backoff = new Backoff({ firstMs: 100, mostMs: 5000 }, this.#random);
    const signals = signal === undefined ? [closing] : [closing, signal];
    return watch<Metadata>({ ...this.#context, backoff }, request, signals);
  }

  async #answers(
    keys: Keys,
    typeOrOptions: TypeOrOptions = {},
  ): Promise<Answer<unknown, unknown> | Map<string, Answer<unknown, unknown>>> {
    const options = typeof typeOrOptions === 'string' ? { type: typeOrOptions } : typeOrOptions;
    const type = options.type ?? 'text';
    const decode = (value: Uint8Array) => decodeValue(type, value);
    if (typeof keys === 'string') return toAnswer(await this.#reader.one(keys, options), decode);
    if (type !== 'text' && type !== 'json') {
      throw new MeridianError('INVALID_ARGUMENT', `several keys are read as text or json, not as ${type}`, {
        reason: 'bad-value-type',
      });
    }
    const answers = await this.#reader.many(keys, options);
    return new Map(answers.map(([key, answer]) => [key, toAnswer(answer, decode)]));
  }
}
