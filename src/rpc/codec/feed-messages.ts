import type { Change, Changes, FeedEvent } from '../../model/feed.ts';
import { pieceBytesMax } from '../proto.ts';
import {
  decodeChange,
  decodeClosing,
  decodeSmallEvent,
  encodeChange,
  encodeClosing,
  encodeSmallEvent,
  type WireChange,
  type WireFollowResponse,
} from './feed-codec.ts';
import { malformed } from './record-codec.ts';

/** The messages of one event: none holds more than about 1 MiB; a large value goes on in `more`. */
export function* eventMessages(event: FeedEvent): Generator<WireFollowResponse> {
  if (event.kind !== 'changes') {
    yield encodeSmallEvent(event);
    return;
  }
  let records: WireChange[] = [];
  let bytes = 0;
  for (const change of event.records) {
    const wire = encodeChange(change, pieceBytesMax);
    const size = 256 + change.key.length * 3 + (wire.value?.byteLength ?? 0);
    if (bytes + size > pieceBytesMax && records.length > 0) {
      yield { changes: { records, unfinished: true } };
      records = [];
      bytes = 0;
    }
    records.push(wire);
    bytes += size;
    if (change.kind !== 'live' || change.value.byteLength <= pieceBytesMax) continue;
    yield { changes: { records, unfinished: true } };
    for (let at = pieceBytesMax; at < change.value.byteLength; at += pieceBytesMax) {
      yield { more: change.value.subarray(at, at + pieceBytesMax) };
    }
    records = [];
    bytes = 0;
  }
  yield { changes: { records, ...encodeClosing(event), unfinished: false } };
}

/** Puts the messages of a stream together again; returns the event that a message completes. */
export class EventAssembler {
  #records: Change[] = [];
  #pieces: Uint8Array[] = [];
  #missing = 0;

  take(wire: WireFollowResponse): FeedEvent | undefined {
    if (wire.event === 'more') {
      this.#takePiece(wire.more ?? new Uint8Array());
      return undefined;
    }
    if (this.#missing > 0) throw malformed('a value in pieces', `${this.#missing} bytes missing`);
    if (!wire.changes) return decodeSmallEvent(wire);
    for (const record of wire.changes.records) {
      const change = decodeChange(record);
      this.#records.push(change);
      if (change.kind !== 'live') continue;
      this.#missing = record.valueBytes - change.value.byteLength;
      this.#pieces = this.#missing > 0 ? [change.value] : [];
    }
    if (wire.changes.unfinished) return undefined;
    const event: Changes = { kind: 'changes', records: this.#records, ...decodeClosing(wire.changes) };
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
}
