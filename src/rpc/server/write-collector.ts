import { MeridianError } from '../../model/errors.ts';
import type { Mutation, WriteRequest } from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import { itemTag, partTags, readMutation } from '../codec/mutation-fields.ts';
import { decodeSession, malformed, type WireSession } from '../codec/record-codec.ts';
import { WireReader } from '../codec/wire-format.ts';
import { decodeWriteOptions, type WireBatchSize, type WireWriteOptions } from '../codec/write-codec.ts';
import { readable } from './strict-requests.ts';

/** A message of a batch: its header by the loader of .proto files, the rest as it came. */
export interface WritePart {
  readonly header?: {
    readonly namespace: string;
    readonly options: WireWriteOptions | null;
    readonly session: WireSession | null;
    readonly size?: WireBatchSize | null;
  } | null;
  /** The content of a `Mutation`. */
  readonly mutation?: Buffer;
  /** The content of `Mutations`. */
  readonly mutations?: Buffer;
  readonly more?: Buffer;
  /** Bytes of the whole message, which any part kept of it holds in memory. */
  readonly bytes?: number;
}

/** Bytes of messages beyond those of the batch: its header, tags, lengths and conditions. */
const envelopeBytesMax = 16 * 1024 * 1024;
/** Bytes of a piece of a value below which it is joined with those before it: a batch may have millions of them. */
const smallPieceBytes = 64 * 1024;

/** @throws INVALID_ARGUMENT if the message cannot be read */
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
  return { ...part, bytes: message.length };
}

/**
 * Puts a streamed batch together. Refuses it, without reading on, as soon as its namespace may not be written or it has
 * more bytes than `bytesMax`, or more of anything than a batch may have.
 */
export async function collectWrite(
  stream: AsyncIterable<WritePart>,
  bytesMax: number,
  checkNamespace: (name: string) => void,
): Promise<WriteRequest> {
  let head: Omit<WriteRequest, 'mutations'> | undefined;
  let said: WireBatchSize | undefined;
  const batch = new Batch(bytesMax);
  for await (const message of stream) {
    const { header, mutation, more, mutations, bytes = 0 } = readable(message);
    batch.holds(bytes);
    if (header) {
      if (head !== undefined) throw malformed('a batch', 'two headers');
      const { namespace, options, session, size } = header;
      checkNamespace(namespace);
      head = { namespace, session: decodeSession(session), ...decodeWriteOptions(options) };
      said = size ?? undefined;
    } else if (head === undefined) throw malformed('a batch', 'no header first');
    else if (mutation !== undefined) batch.add(new WireReader(mutation), mutation.length);
    else if (mutations !== undefined) batch.addAll(new WireReader(mutations));
    else if (more !== undefined) batch.more(more);
    // What a later version sends must not be ignored as if it were written.
    else throw malformed('a message of a batch', 'no part that this node knows');
  }
  if (head === undefined) throw malformed('a batch', 'no header');
  if (said !== undefined) batch.checkWhole(said);
  return { ...head, mutations: batch.mutations() };
}

const nothing = Buffer.alloc(0);

class Batch {
  readonly #mutations: Mutation[] = [];
  #pieces: Uint8Array[] = [];
  /** Bytes of the last put's value. */
  #valueBytes = 0;
  #allValueBytes = 0;
  #bytes = 0;
  #messagesBytes = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Unknown parts of a message are ignored, and take memory all the same. */
  holds(messageBytes: number): void {
    this.#messagesBytes += messageBytes;
    const most = this.#bytesMax + Math.min(this.#bytesMax, envelopeBytesMax);
    if (this.#messagesBytes > most) throw tooMuch('bytes of the messages of a batch', most, this.#messagesBytes);
  }

  addAll(mutations: WireReader): void {
    while (mutations.at < mutations.end) {
      const tag = mutations.varint();
      if (tag === itemTag) this.add(mutations, mutations.content());
      else mutations.skip(tag);
    }
  }

  /** Adds the mutation whose content ends at `end`. */
  add(reader: WireReader, end: number): void {
    const mutation = readMutation(reader, end);
    this.#finish();
    if (this.#mutations.length >= limits.batchMutationsMax) {
      throw tooMuch('mutations of a batch', limits.batchMutationsMax, this.#mutations.length + 1);
    }
    this.#mutations.push(mutation);
    if (mutation.kind === 'put') {
      this.more(mutation.value);
      this.#count(Buffer.byteLength(mutation.metadata ?? ''));
    }
    this.#count(Buffer.byteLength(mutation.key));
  }

  more(piece: Uint8Array): void {
    if (this.#mutations.at(-1)?.kind !== 'put') throw malformed('a batch', 'bytes without a put');
    this.#valueBytes += piece.byteLength;
    if (this.#valueBytes > limits.valueBytesMax) {
      throw tooMuch('bytes of a value', limits.valueBytesMax, this.#valueBytes);
    }
    this.#allValueBytes += piece.byteLength;
    this.#keep(piece);
    this.#count(piece.byteLength);
  }

  /** @throws INVALID_ARGUMENT (`batch-size`): its caller may have gone away in the middle of it */
  checkWhole({ mutations, valueBytes }: WireBatchSize): void {
    const [count, bytes] = [this.#mutations.length, this.#allValueBytes];
    if (count === mutations && bytes === valueBytes) return;
    const shown = (ofMutations: number, ofBytes: number) => `${ofMutations} mutations with ${ofBytes} bytes of values`;
    throw new MeridianError(
      'INVALID_ARGUMENT',
      `the batch is not whole: its header says ${shown(mutations, valueBytes)}; seen: ${shown(count, bytes)}`,
      { reason: 'batch-size' },
    );
  }

  mutations(): readonly Mutation[] {
    this.#finish();
    return this.#mutations;
  }

  /** Small ones are joined as in a counter of powers of two, so that each byte is copied a few times at most. */
  #keep(piece: Uint8Array): void {
    const pieces = this.#pieces;
    let last = piece;
    for (;;) {
      const before = pieces.at(-1);
      if (before === undefined || last.byteLength >= smallPieceBytes || before.byteLength > last.byteLength) break;
      pieces.pop();
      last = Buffer.concat([before, last]);
    }
    pieces.push(last);
  }

  #finish(): void {
    const last = this.#mutations.at(-1);
    const [whole = nothing] = this.#pieces.length > 1 ? [Buffer.concat(this.#pieces)] : this.#pieces;
    if (last?.kind === 'put' && last.value !== whole) {
      this.#mutations[this.#mutations.length - 1] = { ...last, value: whole };
    }
    this.#pieces = [];
    this.#valueBytes = 0;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#bytesMax) throw tooMuch('bytes of a batch', this.#bytesMax, this.#bytes);
  }
}

function tooMuch(what: string, limit: number, seen: number): MeridianError {
  const message = `${what}: at most ${limit}; seen: ${seen} or more`;
  return new MeridianError('INVALID_ARGUMENT', message, { reason: 'too-large', limit, seen });
}
