import type { FeedEvent } from '../model/feed.ts';
import { methods } from '../rpc/client/methods.ts';
import type { WireFollowResponse } from '../rpc/codec/feed-codec.ts';
import { EventAssembler, eventMessages, type FollowResponseBytes } from '../rpc/codec/feed-messages.ts';
import { damaged } from './manifest.ts';

/*
 * Events as a file holds them: the messages that they would travel in, each behind its length.
 *
 *     length, 4 bytes, little endian | message (FollowResponse of proto/meridian/v1/feed.proto) | length | message | …
 */

const lengthBytes = 4;

const response: FollowResponseBytes = {
  serialize: (message) => methods.follow.responseSerialize(message),
  deserialize: (bytes) => methods.follow.responseDeserialize(bytes) as WireFollowResponse,
};

export function eventBytes(event: FeedEvent): readonly Buffer[] {
  const chunks: Buffer[] = [];
  for (const message of eventMessages(event, response)) {
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt32LE(message.byteLength);
    chunks.push(length, message);
  }
  return chunks;
}

/** Reads the events of parts, one after another; none goes beyond its part. @throws DATA_LOSS */
export function* eventsIn(part: Buffer): Generator<FeedEvent> {
  const assembler = new EventAssembler(response);
  let at = 0;
  let isOpen = false;
  while (at < part.byteLength) {
    if (at + lengthBytes > part.byteLength) throw damaged('a part ends within a length');
    const end = at + lengthBytes + part.readUInt32LE(at);
    if (end > part.byteLength) throw damaged('a part ends within a message');
    let event: FeedEvent | undefined;
    try {
      event = assembler.take(part.subarray(at + lengthBytes, end));
    } catch (error) {
      throw damaged(`a message cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
    isOpen = event === undefined;
    if (event !== undefined) yield event;
    at = end;
  }
  if (isOpen) throw damaged('a part ends within an event');
}
