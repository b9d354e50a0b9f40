import { MeridianError } from '../../model/errors.ts';
import type { Mutation, WriteRequest } from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import { readMutation } from '../codec/mutation-fields.ts';
import { decodeSession, malformed, type WireSession } from '../codec/record-codec.ts';
import { WireReader } from '../codec/wire-format.ts';
import { decodeWriteOptions, type WireWriteOptions } from '../codec/write-codec.ts';
import { readable } from './strict-requests.ts';

/** A message of a batch: its header as the loader of .proto files makes it, what follows as it came. */
export interface WritePart {
  readonly header?: {
    readonly namespace: string;
    readonly options: WireWriteOptions | null;
    readonly session: WireSession | null;
  } | null;
  /** The content of a `Mutation`. */
  readonly mutation?: Buffer;
  /** The content of `Mutations`. */
  readonly mutations?: Buffer;
  readonly more?: Buffer;
}

const partTags = { header: 0x0a, mutation: 0x12, more: 0x1a, mutations: 0x22 } as const;
const itemTag = 0x0a;

/** @throws INVALID_ARGUMENT where the message cannot be read */
export function readWritePart(message: Buffer, deserialize: (header: Buffer) => object): WritePart {
  const reader = new WireReader(message);
  let part: WritePart = {};
  while (reader.at < message.length) {
    const from = reader.at;
    const tag = reader.varint();
    if (tag === partTags.header) {
      reader.at = reader.content();
      part = deserialize(message.subarray(from, reader.at));
    } else if (tag === partTags.mutation) part = { mutation: reader.bytes() };
    else if (tag === partTags.mutations) part = { mutations: reader.bytes() };
    else if (tag === partTags.more) part = { more: reader.bytes() };
    else reader.skip(tag);
  }
  return part;
}

/**
 * Puts a streamed batch together; refuses it as soon as its namespace may not be written or it is larger than a batch may
 * be, without reading on.
 */
export async function collectWrite(
  stream: AsyncIterable<WritePart>,
  checkNamespace: (name: string) => void,
): Promise<WriteRequest> {
  let head: Omit<WriteRequest, 'mutations'> | undefined;
  const batch = new Batch();
  for await (const message of stream) {
    const { header, mutation, more, mutations } = readable(message);
    if (header) {
      if (head !== undefined) throw malformed('a batch', 'two headers');
      const { namespace, options, session } = header;
      checkNamespace(namespace);
      head = { namespace, session: decodeSession(session), ...decodeWriteOptions(options) };
    } else if (head === undefined) throw malformed('a batch', 'no header first');
    else if (mutation !== undefined) batch.add(new WireReader(mutation), mutation.length);
    else if (mutations !== undefined) batch.addAll(new WireReader(mutations));
    else if (more !== undefined) batch.more(more);
    // What a later version sends must not be passed over as if it were written.
    else throw malformed('a message of a batch', 'no part that this node knows');
  }
  if (head === undefined) throw malformed('a batch', 'no header');
  return { ...head, mutations: batch.mutations() };
}

class Batch {
  readonly #mutations: Mutation[] = [];
  #pieces: Uint8Array[] = [];
  #valueBytes = 0;
  #bytes = 0;

  addAll(mutations: WireReader): void {
    while (mutations.at < mutations.end) {
      const tag = mutations.varint();
      if (tag === itemTag) this.add(mutations, mutations.content());
      else mutations.skip(tag);
    }
  }

  /** The mutation whose content ends there. */
  add(reader: WireReader, end: number): void {
    const mutation = readMutation(reader, end);
    this.#finish();
    if (this.#mutations.length >= limits.batchMutationsMax) {
      throw tooMuch('mutations of a batch', limits.batchMutationsMax, this.#mutations.length + 1);
    }
    this.#mutations.push(mutation);
    if (mutation.kind === 'put') this.more(mutation.value);
    this.#count(Buffer.byteLength(mutation.key));
  }

  more(piece: Uint8Array): void {
    if (this.#mutations.at(-1)?.kind !== 'put') throw malformed('a batch', 'bytes without a put');
    this.#valueBytes += piece.byteLength;
    if (this.#valueBytes > limits.valueBytesMax) {
      throw tooMuch('bytes of a value', limits.valueBytesMax, this.#valueBytes);
    }
    this.#pieces.push(piece);
    this.#count(piece.byteLength);
  }

  mutations(): readonly Mutation[] {
    this.#finish();
    return this.#mutations;
  }

  #finish(): void {
    const last = this.#mutations.at(-1);
    if (last?.kind === 'put' && this.#pieces.length > 1) {
      this.#mutations[this.#mutations.length - 1] = { ...last, value: Buffer.concat(this.#pieces) };
    }
    this.#pieces = [];
    this.#valueBytes = 0;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > limits.batchBytesMax) throw tooMuch('bytes of a batch', limits.batchBytesMax, this.#bytes);
  }
}

function tooMuch(what: string, limit: number, seen: number): MeridianError {
  const message = `${what}: at most ${limit}; seen: ${seen} or more`;
  return new MeridianError('INVALID_ARGUMENT', message, { reason: 'too-large', limit, seen });
}
