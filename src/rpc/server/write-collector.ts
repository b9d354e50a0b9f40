import { MeridianError } from '../../model/errors.ts';
import type { Mutation, WriteRequest } from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import { decodeSession, malformed, type WireSession } from '../codec/record-codec.ts';
import {
  decodeDelete,
  decodePut,
  decodeWriteOptions,
  type WireCondition,
  type WirePutBody,
  type WireWriteOptions,
} from '../codec/write-codec.ts';
import { readable } from './strict-requests.ts';

export interface WireWriteRequest {
  readonly part?: 'header' | 'mutation' | 'more' | 'mutations';
  readonly header?: {
    readonly namespace: string;
    readonly options: WireWriteOptions | null;
    readonly session: WireSession | null;
  } | null;
  readonly mutation?: WireMutation | null;
  readonly more?: Uint8Array;
  readonly mutations?: { readonly items: readonly WireMutation[] } | null;
}

interface WireMutation {
  readonly key: string;
  readonly condition: WireCondition | null;
  readonly kind?: 'put' | 'delete';
  readonly put?: WirePutBody | null;
}

/**
 * Puts a streamed batch together; refuses it as soon as its namespace may not be written or it is larger than a batch may
 * be, without reading on.
 */
export async function collectWrite(
  stream: AsyncIterable<WireWriteRequest>,
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
    else if (mutation) batch.add(mutation);
    else if (mutations) for (const each of mutations.items) batch.add(each);
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

  add(wire: WireMutation): void {
    this.#finish();
    if (this.#mutations.length >= limits.batchMutationsMax) {
      throw tooMuch('mutations of a batch', limits.batchMutationsMax, this.#mutations.length + 1);
    }
    if (wire.kind === 'delete') this.#mutations.push(decodeDelete(wire.key, wire.condition));
    else if (wire.put) {
      this.#mutations.push(decodePut(wire.key, wire.put, wire.condition));
      this.more(wire.put.value);
    } else throw malformed('a mutation', 'neither put nor delete');
    this.#count(Buffer.byteLength(wire.key));
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
