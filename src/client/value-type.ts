import { MeridianError } from '../model/errors.ts';

/** As what a value is wanted. */
export type ValueType = 'text' | 'json' | 'arrayBuffer' | 'stream';

/** The bytes as the type asked for. @throws SyntaxError for `json` where the value is none */
export function decodeValue(type: ValueType, bytes: Uint8Array): unknown {
  switch (type) {
    case 'text':
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    case 'json':
      return JSON.parse(new TextDecoder().decode(bytes));
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
      throw new MeridianError('INVALID_ARGUMENT', `a value's type is text, json, arrayBuffer or stream, not ${type}`, {
        reason: 'bad-value-type',
      });
  }
}
