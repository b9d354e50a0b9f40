import { unreachable } from '../model/assert.ts';

/** As what a value is wanted. */
export type ValueType = 'text' | 'json' | 'arrayBuffer' | 'stream';

// Decoders keep nothing between two whole texts, and making one costs more than a small text does.
const asText = new TextDecoder('utf-8', { ignoreBOM: true });
/** A byte-order mark is no part of JSON. */
const asJson = new TextDecoder();

const valueTypes: readonly unknown[] = ['text', 'json', 'arrayBuffer', 'stream'] satisfies ValueType[];

/** @throws TypeError for anything else, also where there is no value to be read as it */
export function checkValueType(type: unknown): asserts type is ValueType {
  if (valueTypes.includes(type)) return;
  throw new TypeError(`a value's type is text, json, arrayBuffer or stream, not ${String(type)}`);
}

/** A value as `get` shows it: with the byte-order mark that it may begin with. */
export function decodeText(bytes: Uint8Array): string {
  return asText.decode(bytes);
}

/** The bytes as the type asked for. @throws SyntaxError for `json` where the value is none */
export function decodeValue(type: ValueType, bytes: Uint8Array): unknown {
  switch (type) {
    case 'text':
      return decodeText(bytes);
    case 'json':
      return JSON.parse(asJson.decode(bytes));
    case 'arrayBuffer':
      // A copy: Buffer.slice would share its pool, and records are not to be written into.
      return new Uint8Array(bytes).buffer;
    case 'stream':
      return new ReadableStream<Uint8Array>({
        start: (controller) => {
          if (bytes.byteLength > 0) controller.enqueue(new Uint8Array(bytes));
          controller.close();
        },
      });
    default:
      return unreachable(type);
  }
}
