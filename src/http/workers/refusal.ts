import type { ServerResponse } from 'node:http';

/**
 * A request that the original refuses, in its own words. On the binding protocol the message is the reason phrase, which
 * is all that a Worker's author sees; on the REST API it stands in the envelope with the code.
 */
export class Refusal extends Error {
  readonly statusCode: number;
  /** The REST API's error code. */
  readonly restCode: number;
  /** What stands before the reason in the REST API's message where that is not the endpoint's name. */
  readonly operation: string | undefined;

  constructor(statusCode: number, message: string, restCode: number = 10001, operation?: string) {
    super(message);
    this.name = 'Refusal';
    this.statusCode = statusCode;
    this.restCode = restCode;
    this.operation = operation;
  }
}

/**
 * Ends the answer with the message as reason phrase. It goes out as UTF-8 in the header's Latin-1, without the control
 * characters that would end the line early.
 */
export function sendReason(response: ServerResponse, statusCode: number, message: string): void {
  const bytes = Buffer.from(message.slice(0, reasonCharactersMax));
  response.statusCode = statusCode;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these may not stand in a status line.
  response.statusMessage = bytes.toString('latin1').replace(/[\x00-\x1f\x7f]/g, ' ');
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.setHeader('content-length', bytes.byteLength);
  // Bytes and not text: Node would write the header of an answer of text as UTF-8, that is, encode it twice.
  response.end(bytes);
}

const reasonCharactersMax = 1000;
