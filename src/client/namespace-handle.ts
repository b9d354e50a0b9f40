import { MeridianError } from '../model/errors.ts';
import type { Mutation } from '../model/key-value.ts';
import { Backoff } from '../runtime/backoff.ts';
import type { Random } from '../runtime/random.ts';
import { type Answer, toAnswer } from './answer.ts';
import { durabilityOf, keyOf, keysOf, needArguments, optionsOf, textOf } from './arguments.ts';
import { type BatchMutation, type BatchResult, toMutations } from './batch-write.ts';
import { type ClientContext, inCall } from './call-frame.ts';
import type { DeleteOptions, PutOptions, ReadOptions, WriteOptions } from './call-options.ts';
import type { Change, WatchOptions } from './change.ts';
import type { Entry, Key, ListOptions, ListResult } from './listing.ts';
import type { EntriesOptions, Namespace, PrefixOptions } from './namespace.ts';
import { NamespaceReader } from './namespace-reader.ts';
import { bodyOf, checkAttached, type ValueBody } from './value-body.ts';
import { ValueGets } from './value-get.ts';
import { checkValueType, decodeValue, type ValueType } from './value-type.ts';
import { watch } from './watch.ts';

type Keys = string | readonly string[];
type TypeOrOptions = ValueType | (ReadOptions & { readonly type?: ValueType | undefined }) | null;
type ReadArguments = [keys: Keys, options?: TypeOrOptions];

/** A namespace over a cluster handle. It holds nothing but its name: make as many as you like. */
export class NamespaceHandle implements Namespace {
  readonly name: string;
  /** The overloads stand in the interface; here is the one body behind them. */
  readonly get = ((...given: ReadArguments) => {
    const [key, type = 'text'] = given;
    const isPlain = typeof key === 'string' && typeof type === 'string';
    return (isPlain ? this.#value(key, type) : undefined) ?? this.#values(given);
  }) as Namespace['get'];
  readonly getWithMetadata = (async (...given: ReadArguments) => {
    needArguments('getWithMetadata', given.length, 1);
    return this.#answers(...given);
  }) as Namespace['getWithMetadata'];
  readonly #context: ClientContext;
  readonly #random: Random;
  readonly #reader: NamespaceReader;
  readonly #gets: ValueGets;

  constructor(context: ClientContext, random: Random, name: string) {
    this.#context = context;
    this.#random = random;
    this.name = name;
    this.#reader = new NamespaceReader(context, name);
    this.#gets = new ValueGets(context, name);
  }

  async put(...given: [key: string, value: ValueBody, options?: PutOptions | null]): Promise<void> {
    needArguments('put', given.length, 2);
    const [key, value] = given;
    const options: PutOptions = optionsOf(given[2]);
    await this.write([{ ...options, kind: 'put', key: keyOf(key), value: bodyOf(value) }], options);
  }

  async delete(...given: [key: string, options?: DeleteOptions | null]): Promise<void> {
    needArguments('delete', given.length, 1);
    const options: DeleteOptions = optionsOf(given[1]);
    await this.write([{ ...options, kind: 'delete', key: keyOf(given[0]) }], options);
  }

  async write(mutations: readonly BatchMutation[], options: WriteOptions = {}): Promise<BatchResult> {
    const { clock, endpoints, session } = this.#context;
    const durability = durabilityOf(options.durability);
    const { durabilityTimeoutMs } = options;
    const asked = session.current;
    let made: Promise<readonly Mutation[]> | undefined;
    const answer = await inCall(this.#context, options, async (call) => {
      // Once, however often the call is tried: a stream can be read once.
      made ??= toMutations(mutations, { call, clock });
      const ready = await made;
      for (const mutation of ready) if (mutation.kind === 'put') checkAttached(mutation.value);
      const request = {
        namespace: this.name,
        mutations: ready,
        session: asked,
        ...(durability === undefined ? {} : { durability }),
        ...(durabilityTimeoutMs === undefined ? {} : { durabilityTimeoutMs }),
      };
      return endpoints.write((node) => node.write(request, call), request.mutations);
    });
    session.answered(asked, answer.session);
    return {
      written: answer.written.map(({ stamp, expiresAt }) => ({ version: stamp, expiration: expiresAt ?? null })),
      durability: answer.durability,
      origin: answer.origin,
    };
  }

  async list<Metadata>(options?: (ListOptions & ReadOptions) | null): Promise<ListResult<Metadata>> {
    return this.#reader.page(optionsOf(options));
  }

  keys<Metadata>(options: PrefixOptions = {}): AsyncIterable<Key<Metadata>> {
    return this.#reader.keys(options);
  }

  entries<Metadata>(options: EntriesOptions = {}): AsyncIterable<Entry<Metadata>> {
    return this.#reader.entries(options);
  }

  watch<Metadata>(options: WatchOptions = {}): AsyncIterable<Change<Metadata>> {
    const { fromStart = false } = options;
    const prefix = textOf(options.prefix, 'a prefix') ?? '';
    // Empty it would be gone on from, as no cursor is.
    const since = textOf(options.since, 'a cursor') || undefined;
    // JavaScript says null for none.
    const signal = options.signal ?? undefined;
    const request = { namespace: this.name, prefix, fromStart, ...(since === undefined ? {} : { cursor: since }) };
    const { closing } = this.#context;
    const backoff = new Backoff({ firstMs: 100, mostMs: 5000 }, this.#random);
    const signals = signal === undefined ? [closing] : [closing, signal];
    return watch<Metadata>({ ...this.#context, backoff }, request, signals);
  }

  /** Undefined where it must be asked for by `#values`. */
  #value(key: string, type: ValueType): Promise<unknown> | undefined {
    try {
      checkValueType(type);
      return this.#gets.get(keyOf(key), type);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #values(given: ReadArguments): Promise<unknown> {
    needArguments('get', given.length, 1);
    const answers = await this.#answers(...given);
    if (!(answers instanceof Map)) return answers.value;
    return new Map([...answers].map(([key, answer]) => [key, answer?.value ?? null]));
  }

  /** Of many keys an absent one has no answer, as the binding of Workers has none. */
  async #answers(
    keys: Keys,
    typeOrOptions?: TypeOrOptions,
  ): Promise<Answer<unknown, unknown> | Map<string, Answer<unknown, unknown> | null>> {
    const isOptions = typeof typeOrOptions === 'object' || typeOrOptions === undefined;
    const options: ReadOptions & { readonly type?: ValueType | undefined } = isOptions ? optionsOf(typeOrOptions) : {};
    const type: unknown = isOptions ? (options.type === undefined ? 'text' : options.type) : typeOrOptions;
    checkValueType(type);
    const decode = (value: Uint8Array) => decodeValue(type, value);
    if (!Array.isArray(keys)) return toAnswer(await this.#reader.one(keyOf(keys), options), decode);
    if (type !== 'text' && type !== 'json') {
      throw new MeridianError('INVALID_ARGUMENT', `several keys are read as text or json, not as ${type}`, {
        reason: 'bad-value-type',
      });
    }
    const answers = await this.#reader.many(keysOf(keys), options);
    return new Map(
      answers.map(([key, answer]) => [key, answer.record?.kind === 'live' ? toAnswer(answer, decode) : null]),
    );
  }
}
