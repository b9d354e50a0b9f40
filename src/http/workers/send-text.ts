import type { ServerResponse } from 'node:http';
import { type LargeValues, tooManyValues } from './large-values.ts';
import { sendValue } from './send-value.ts';

export interface TextAnswer {
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
  /** Those that are on their way to clients. */
  readonly underWay: LargeValues;
  /** May be called twice. */
  readonly read: () => Promise<string>;
}

/**
 * Sends a JSON text of values as records are sent: one that is large, and finds no room among those under way, is let go,
 * waits, and is read again. It keeps its room until the client has it.
 */
export async function sendText({ response, signal, underWay, read }: TextAnswer): Promise<void> {
  let bytes: Uint8Array = Buffer.from(await read());
  const wanted = bytes.byteLength;
  if (!underWay.isLarge(wanted)) return send(response, bytes, signal);
  if (!underWay.budget.tryTake(wanted)) {
    bytes = new Uint8Array();
    if (!(await underWay.budget.take(wanted, signal))) throw tooManyValues();
  }
  try {
    if (bytes.byteLength === 0) bytes = Buffer.from(await read());
    await send(response, bytes, signal);
  } finally {
    underWay.budget.give(wanted);
  }
}

function send(response: ServerResponse, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  response.setHeader('content-type', 'application/json');
  return sendValue(response, bytes, signal);
}
