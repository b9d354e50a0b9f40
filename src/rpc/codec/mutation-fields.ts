import type { Condition, Expiry, Mutation } from '../../model/key-value.ts';
import { decodeStamp, malformed } from './record-codec.ts';
import { fieldBytes, varintBytes, type WireReader, type WireWriter } from './wire-format.ts';

/*
 * A put or a delete by hand: the loader of .proto files would cost several times what the write itself does. A batch
 * and a Pipeline have the same fields under other numbers:
 *
 *     key | put { 0a value 12 metadata 1a expiry { 08 in, 10 at } } or delete {} | condition { 08 absent, 12 version }
 */

/** The tags of the fields in the message that has them. */
export interface MutationTags {
  readonly key: number;
  readonly put: number;
  readonly delete: number;
  readonly condition: number;
}

/** In `Mutation`. */
export const batchTags: MutationTags = { key: 0x0a, put: 0x1a, delete: 0x22, condition: 0x12 };
/** In `PipelineOperation`. */
export const operationTags: MutationTags = { key: 0x1a, put: 0x2a, delete: 0x32, condition: 0x3a };

/** Of the parts of a `WriteRequest`, and of each mutation in its `mutations`. */
export const partTags = { header: 0x0a, mutation: 0x12, more: 0x1a, mutations: 0x22 } as const;
export const itemTag = 0x0a;

const putTags = { value: 0x0a, metadata: 0x12, expiry: 0x1a } as const;
const expiryTags = { in: 0x08, at: 0x10 } as const;
const conditionTags = { absent: 0x08, version: 0x12 } as const;

/** A mutation, and the sizes of its fields. */
export interface MeasuredMutation {
  readonly mutation: Mutation;
  readonly keyBytes: number;
  readonly metadataBytes: number;
  /** Bytes of the fields of a put. */
  readonly putBytes: number;
  /** Bytes of all fields. */
  readonly bytes: number;
}

export function measured(mutation: Mutation): MeasuredMutation {
  const keyBytes = Buffer.byteLength(mutation.key);
  const { condition } = mutation;
  const head = fieldBytes(keyBytes) + (condition === undefined ? 0 : fieldBytes(conditionBytes(condition)));
  if (mutation.kind === 'delete') return { mutation, keyBytes, metadataBytes: 0, putBytes: 0, bytes: head + 2 };
  const { value, metadata, expiry } = mutation;
  const metadataBytes = metadata === undefined ? 0 : Buffer.byteLength(metadata);
  const putBytes =
    fieldBytes(value.byteLength) +
    (metadata === undefined ? 0 : fieldBytes(metadataBytes)) +
    (expiry === undefined ? 0 : fieldBytes(expiryBytes(expiry)));
  return { mutation, keyBytes, metadataBytes, putBytes, bytes: head + fieldBytes(putBytes) };
}

function expiryBytes(expiry: Expiry): number {
  return 1 + varintBytes(secondsOf(expiry));
}

/** The node refuses an impossible time in its own words: here it only has to stay one that the node refuses. */
function secondsOf({ seconds }: Expiry): number {
  return Math.trunc(Math.min(Math.max(seconds, 0), Number.MAX_SAFE_INTEGER)) || 0;
}

function conditionBytes(condition: Condition): number {
  return 2 + (condition.kind === 'absent' ? 0 : condition.version.length);
}

export function writeMutation(writer: WireWriter, tags: MutationTags, measure: MeasuredMutation): void {
  const { mutation, keyBytes, metadataBytes, putBytes } = measure;
  writer.head(tags.key, keyBytes);
  writer.utf8(mutation.key, keyBytes);
  if (mutation.kind === 'delete') writer.head(tags.delete, 0);
  else {
    const { value, metadata, expiry } = mutation;
    writer.head(tags.put, putBytes);
    writer.head(putTags.value, value.byteLength);
    writer.bytes(value);
    if (metadata !== undefined) {
      writer.head(putTags.metadata, metadataBytes);
      writer.utf8(metadata, metadataBytes);
    }
    if (expiry !== undefined) {
      writer.head(putTags.expiry, expiryBytes(expiry));
      writer.head(expiryTags[expiry.kind], secondsOf(expiry));
    }
  }
  const { condition } = mutation;
  if (condition === undefined) return;
  writer.head(tags.condition, conditionBytes(condition));
  if (condition.kind === 'absent') writer.head(conditionTags.absent, 1);
  else {
    writer.head(conditionTags.version, condition.version.length);
    writer.ascii(condition.version);
  }
}

/** The fields of a mutation as they come, in any order; if one comes twice, the later one counts. */
export class MutationReader {
  readonly #tags: MutationTags;
  #key = '';
  #kind: Mutation['kind'] | undefined;
  #value: Uint8Array = nothing;
  #metadata: string | undefined;
  #expiry: Expiry | undefined;
  #condition: WireCondition | undefined;

  constructor(tags: MutationTags) {
    this.#tags = tags;
  }

  get key(): string {
    return this.#key;
  }

  /** Reads the content of the field with this tag, if it is a field of a mutation. @throws INVALID_ARGUMENT */
  take(tag: number, reader: WireReader): boolean {
    const tags = this.#tags;
    if (tag === tags.key) this.#key = reader.text();
    else if (tag === tags.put) this.#takePut(reader);
    else if (tag === tags.delete) {
      reader.skipMessage();
      this.#kind = 'delete';
    } else if (tag === tags.condition) this.#condition = readCondition(reader);
    else return false;
    return true;
  }

  #takePut(reader: WireReader): void {
    const end = reader.content();
    this.#kind = 'put';
    this.#value = nothing;
    this.#metadata = undefined;
    this.#expiry = undefined;
    while (reader.at < end) {
      const tag = reader.varint();
      if (tag === putTags.value) this.#value = reader.bytes();
      else if (tag === putTags.metadata) this.#metadata = reader.text();
      else if (tag === putTags.expiry) this.#expiry = readExpiry(reader);
      else reader.skip(tag);
    }
    reader.closes(end);
  }

  /**
   * The value shares the reader's buffer.
   * @throws INVALID_ARGUMENT if it is neither put nor delete, since what a later version sends must not be taken for
   * something else; and if its condition names no version
   */
  mutation(): Mutation {
    const key = this.#key;
    const condition = this.#condition && decodeCondition(this.#condition);
    if (this.#kind === undefined) throw malformed('a mutation', 'neither put nor delete');
    const mutation: Changing<Mutation> =
      this.#kind === 'delete' ? { kind: 'delete', key } : { kind: 'put', key, value: this.#value };
    if (condition !== undefined) mutation.condition = condition;
    if (mutation.kind === 'delete') return mutation;
    if (this.#metadata !== undefined) mutation.metadata = this.#metadata;
    if (this.#expiry !== undefined) mutation.expiry = this.#expiry;
    return mutation;
  }
}

/** With a version as it came, unchecked. */
type WireCondition = Condition | { readonly kind: 'text'; readonly text: string };
type Changing<T> = T extends unknown ? { -readonly [F in keyof T]: T[F] } : never;

const nothing: Uint8Array = Buffer.alloc(0);

function decodeCondition(condition: WireCondition): Condition {
  return condition.kind === 'text' ? { kind: 'version', version: decodeStamp(condition.text) } : condition;
}

function readExpiry(reader: WireReader): Expiry | undefined {
  const end = reader.content();
  let expiry: Expiry | undefined;
  while (reader.at < end) {
    const tag = reader.varint();
    // However large the number is: a time too far ahead must be refused as such, and not as unreadable.
    if (tag === expiryTags.in) expiry = { kind: 'in', seconds: reader.number() };
    else if (tag === expiryTags.at) expiry = { kind: 'at', seconds: reader.number() };
    else reader.skip(tag);
  }
  reader.closes(end);
  return expiry;
}

function readCondition(reader: WireReader): WireCondition | undefined {
  const end = reader.content();
  let condition: WireCondition | undefined;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === conditionTags.absent) condition = reader.varint() === 0 ? undefined : { kind: 'absent' };
    else if (tag === conditionTags.version) condition = { kind: 'text', text: reader.text() };
    else reader.skip(tag);
  }
  reader.closes(end);
  return condition;
}

/** The content of one `Mutation`, up to `end`. @throws INVALID_ARGUMENT */
export function readMutation(reader: WireReader, end: number): Mutation {
  const fields = new MutationReader(batchTags);
  while (reader.at < end) {
    const tag = reader.varint();
    if (!fields.take(tag, reader)) reader.skip(tag);
  }
  reader.closes(end);
  return fields.mutation();
}
