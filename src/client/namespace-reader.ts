import type { Call } from '../model/call.ts';
import { isMeridianError } from '../model/errors.ts';
import { groupsOf } from '../model/groups.ts';
import type { GetAnswer } from '../model/key-value.ts';
import { limits } from '../model/limits.ts';
import { readAhead } from '../runtime/read-ahead.ts';
import { either } from '../runtime/with-either.ts';
import { toAnswer } from './answer.ts';
import { textOf, wholePart } from './arguments.ts';
import { type ClientContext, inCall, toReadOptions } from './call-frame.ts';
import type { ReadOptions } from './call-options.ts';
import { type Entry, type Key, type ListOptions, type ListResult, toListResult } from './listing.ts';
import type { EntriesOptions, PrefixOptions } from './namespace.ts';
import type { RemoteNode } from './remote-node.ts';

/** Bytes of values that are read together, so that an iteration's memory does not grow with them. */
const groupBounds = { bytesMax: 4 * 1024 * 1024, itemsMax: limits.batchGetKeysMax };

interface Readable {
  readonly answers: ReadonlyArray<readonly [string, GetAnswer]>;
  readonly damaged: readonly string[];
}

/** Of one page of keys. */
interface Group extends Readable {
  /** The page's last key, and what goes on behind it; unset = there is no more. */
  readonly last: string | undefined;
  readonly cursor: string | undefined;
}

/** Keys and their records, read from whichever endpoint answers, within the session. */
export class NamespaceReader {
  readonly #context: ClientContext;
  readonly #name: string;

  constructor(context: ClientContext, name: string) {
    this.#context = context;
    this.#name = name;
  }

  async one(key: string, options: ReadOptions): Promise<GetAnswer> {
    const request = { key, ...toReadOptions(this.#context, this.#name, options) };
    const answer = await this.#read(options, (node, call) => node.get(request, call));
    this.#context.session.answered(request.session, answer.session);
    return answer;
  }

  /** 1 to 100 keys, which were looked at before; the answers are in their order. */
  async many(keys: readonly string[], options: ReadOptions): Promise<ReadonlyArray<readonly [string, GetAnswer]>> {
    const request = { keys, ...toReadOptions(this.#context, this.#name, options) };
    const answers = await this.#read(options, (node, call) => node.getMany(request, call));
    for (const answer of answers) this.#context.session.answered(request.session, answer.session);
    return answers.map((answer, i) => [keys[i] ?? '', answer] as const);
  }

  async page<Metadata>(options: ListOptions & ReadOptions): Promise<ListResult<Metadata>> {
    const cursor = textOf(options.cursor, 'a cursor');
    const limit = wholePart(options.limit, 'limit');
    const request = {
      ...toReadOptions(this.#context, this.#name, options),
      prefix: textOf(options.prefix, 'a prefix') ?? '',
      limit: limit > 0 ? limit : limits.listKeysMax,
      ...(cursor === undefined || cursor === '' ? {} : { cursor }),
    };
    const answer = await this.#read(options, (node, call) => node.list(request, call));
    this.#context.session.answered(request.session, answer.session);
    return toListResult(answer);
  }

  #read<T>(options: ReadOptions, ask: (node: RemoteNode, call: Call) => Promise<T>): Promise<T> {
    return inCall(this.#context, options, (call) => this.#context.endpoints.read((node) => ask(node, call)));
  }

  async *keys<Metadata>(options: PrefixOptions): AsyncGenerator<Key<Metadata>, void, undefined> {
    for await (const page of this.#pages<Metadata>(options)) yield* page.keys;
  }

  /** While one group is worked on, the next one is read. Whoever wants no more does not wait for that. */
  async *entries<Metadata>(options: EntriesOptions): AsyncGenerator<Entry<Metadata>, void, undefined> {
    const left = new AbortController();
    const joined = either(options.signal ? [options.signal, left.signal] : [left.signal]);
    const leave = () => {
      left.abort();
      joined.release();
    };
    for await (const group of readAhead(this.#groups<Metadata>({ ...options, signal: joined.signal }), leave)) {
      for (const name of group.damaged) options.onDamaged?.(name);
      for (const [name, answer] of group.answers) {
        const found = toAnswer<Uint8Array, Metadata>(answer, ownCopy);
        options.onAnswer?.(found);
        const { value, metadata, metadataText, expiration, version } = found;
        if (value === null || version === null) continue;
        const goOn = name === group.last && group.cursor !== undefined ? { cursor: group.cursor } : {};
        yield { name, value, metadata, metadataText, expiration, version, ...goOn };
      }
    }
  }

  async *#groups<Metadata>(options: EntriesOptions): AsyncGenerator<Group, void, undefined> {
    for await (const page of this.#pages<Metadata>(options)) {
      const last = page.keys.at(-1)?.name;
      const cursor = page.list_complete ? undefined : page.cursor;
      for (const keys of groupsOf(page.keys, groupBounds)) {
        const names = keys.map(({ name }) => name);
        yield { ...(await this.#readable(names, options)), last, cursor };
      }
    }
  }

  /** What can be read of these keys; where a caller wants to be told of the others, they are asked for one by one. */
  async #readable(names: readonly string[], options: EntriesOptions): Promise<Readable> {
    try {
      return { answers: await this.many(names, options), damaged: [] };
    } catch (error) {
      if (options.onDamaged === undefined || !isMeridianError(error, 'DATA_LOSS')) throw error;
    }
    const answers: Array<readonly [string, GetAnswer]> = [];
    const damaged: string[] = [];
    for (const name of names) {
      try {
        answers.push([name, await this.one(name, options)]);
      } catch (error) {
        if (!isMeridianError(error, 'DATA_LOSS')) throw error;
        damaged.push(name);
      }
    }
    return { answers, damaged };
  }

  async *#pages<Metadata>(options: PrefixOptions): AsyncGenerator<ListResult<Metadata>, void, undefined> {
    let { cursor } = options;
    do {
      const page: ListResult<Metadata> = await this.page({ ...options, cursor: cursor ?? null });
      options.onAnswer?.(page);
      yield page;
      cursor = page.list_complete ? undefined : page.cursor;
    } while (cursor !== undefined);
  }
}

/** Records are not to be written into: an edge inside this process serves them to others as well. */
function ownCopy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
