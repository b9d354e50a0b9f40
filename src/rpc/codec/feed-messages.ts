import type { Change, Changes, FeedEvent } from '../../model/feed.ts';
import { pieceBytesMax } from '../proto.ts';
import { type ChangeSize, readChange, sizeOf, writeChange } from './change-bytes.ts';
import {
  decodeClosing,
  decodeSmallEvent,
  encodeClosing,
  encodeSmallEvent,
  type WireFollowResponse,
} from './feed-codec.ts';
import { malformed } from './record-codec.ts';
import { varintBytes, WireReader, WireWriter } from './wire-format.ts';

/*
 * The messages of one event: none holds more than about 1 MiB; a large value goes on in `more`. The records of
 * `changes` are written and read by hand (change-bytes.ts). The fields that close the event follow them in the same
 * message, and go through the loader of .proto files like all other events:
 *
 *     1a length | 0a length record | 0a length record | … | step, token, range, …
 */

/** A FollowResponse through the loader. */
export interface FollowResponseBytes {
  serialize(message: WireFollowResponse): Buffer;
  deserialize(bytes: Buffer): WireFollowResponse;
}

const tag = { changes: 0x1a, record: 0x0a } as const;
const recordTag = 1;
const unfinished = { changes: { records: [], unfinished: true } } as const;

export function* eventMessages(
  event: FeedEvent,
  { serialize }: Pick<FollowResponseBytes, 'serialize'>,
): Generator<Buffer> {
  if (event.kind !== 'changes') {
    yield serialize(encodeSmallEvent(event));
    return;
  }
  let page = new Page();
  const goesOn = () => contentOf(serialize(unfinished));
  for (const change of event.records) {
    const size = sizeOf(change, pieceBytesMax);
    if (page.bytes + size.bytes > pieceBytesMax && page.bytes > 0) {
      yield page.message(goesOn());
      page = new Page();
    }
    page.add(change, size);
    if (change.kind !== 'live' || change.value.byteLength <= pieceBytesMax) continue;
    yield page.message(goesOn());
    for (let at = pieceBytesMax; at < change.value.byteLength; at += pieceBytesMax) {
      yield serialize({ more: change.value.subarray(at, at + pieceBytesMax) });
    }
    page = new Page();
  }
  yield page.message(contentOf(serialize({ changes: { records: [], ...encodeClosing(event), unfinished: false } })));
}

/** Changes of one message, counted as they come and written at once. */
class Page {
  bytes = 0;
  readonly #changes: Change[] = [];
  readonly #sizes: ChangeSize[] = [];

  add(change: Change, size: ChangeSize): void {
    this.#changes.push(change);
    this.#sizes.push(size);
    this.bytes += recordTag + varintBytes(size.bytes) + size.bytes;
  }

  /** @param closing what follows the records in the message's Changes */
  message(closing: Buffer): Buffer {
    const contentBytes = this.bytes + closing.length;
    const writer = new WireWriter(1 + varintBytes(contentBytes) + contentBytes);
    writer.head(tag.changes, contentBytes);
    this.#changes.forEach((change, index) => {
      const size = this.#sizes[index] as ChangeSize;
      writer.head(tag.record, size.bytes);
      writeChange(writer, change, size);
    });
    writer.bytes(closing);
    return writer.written();
  }
}

/** The content of the one field that a message consists of. */
function contentOf(message: Buffer): Buffer {
  const reader = new WireReader(message);
  reader.varint();
  return reader.bytes();
}

/** Puts the messages of a stream together again; returns the event that a message completes. */
export class EventAssembler {
  readonly #deserialize: FollowResponseBytes['deserialize'];
  #records: Change[] = [];
  #pieces: Uint8Array[] = [];
  #missing = 0;

  constructor({ deserialize }: Pick<FollowResponseBytes, 'deserialize'>) {
    this.#deserialize = deserialize;
  }

  /** @throws INVALID_ARGUMENT if the bytes are no message that may come now */
  take(bytes: Buffer): FeedEvent | undefined {
    const reader = new WireReader(bytes);
    const changes = reader.end > 0 && reader.varint() === tag.changes ? reader.content() : undefined;
    if (changes === reader.end) return this.#takeChanges(reader);
    const wire = this.#deserialize(bytes);
    if (wire.event === 'more') {
      this.#takePiece(wire.more ?? new Uint8Array());
      return undefined;
    }
    if (this.#missing > 0) throw this.#cutShort();
    return decodeSmallEvent(wire);
  }

  #takeChanges(reader: WireReader): FeedEvent | undefined {
    if (this.#missing > 0) throw this.#cutShort();
    const rest: Buffer[] = [];
    while (reader.at < reader.end) {
      const begin = reader.at;
      const field = reader.varint();
      if (field !== tag.record) {
        reader.skip(field);
        rest.push(reader.buffer.subarray(begin, reader.at));
        continue;
      }
      if (this.#missing > 0) throw this.#cutShort();
      const { change, missing } = readChange(reader, reader.content());
      this.#records.push(change);
      if (change.kind !== 'live' || missing === 0) continue;
      if (missing < 0) throw malformed('a value', `${-missing} bytes more than it has`);
      this.#missing = missing;
      this.#pieces = [change.value];
    }
    const wire = this.#deserialize(messageOf(Buffer.concat(rest))).changes;
    if (!wire || wire.unfinished) return undefined;
    if (this.#missing > 0) throw this.#cutShort();
    const event: Changes = { kind: 'changes', records: this.#records, ...decodeClosing(wire) };
    this.#records = [];
    return event;
  }

  #takePiece(piece: Uint8Array): void {
    const last = this.#records.at(-1);
    if (last?.kind !== 'live' || piece.byteLength > this.#missing)
      throw malformed('a piece of a value', piece.byteLength);
    this.#pieces.push(piece);
    this.#missing -= piece.byteLength;
    if (this.#missing > 0) return;
    this.#records[this.#records.length - 1] = { ...last, value: Buffer.concat(this.#pieces) };
    this.#pieces = [];
  }

  #cutShort(): Error {
    return malformed('a value in pieces', `${this.#missing} bytes missing`);
  }
}

function messageOf(changes: Buffer): Buffer {
  const writer = new WireWriter(1 + varintBytes(changes.length) + changes.length);
  writer.head(tag.changes, changes.length);
  writer.bytes(changes);
  return writer.written();
}
