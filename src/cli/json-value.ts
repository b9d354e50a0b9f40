import { isUtf8 } from 'node:buffer';

/** A value as JSON carries it: text where it is UTF-8, else base64, said so as the bulk form of Workers KV does. */
export interface JsonValue {
  readonly value: string;
  readonly base64?: true;
}

export function toJsonValue(bytes: Uint8Array): JsonValue {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(buffer) ? { value: buffer.toString() } : { value: buffer.toString('base64'), base64: true };
}
