import type { ServerResponse } from 'node:http';
import type { ErrorCode } from '../../model/errors.ts';
import { isMeridianError, toMeridianError } from '../../model/errors.ts';
import { httpStatus } from '../http-status.ts';
import { Refusal } from './refusal.ts';

/** The REST API's code for each error. Exhaustive by its type. NOT_FOUND is the namespace's: an absent key is no error. */
const restCodes: Readonly<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: 10001,
  NOT_FOUND: 10013,
  ALREADY_EXISTS: 10014,
  FAILED_PRECONDITION: 10001,
  RESOURCE_EXHAUSTED: 10022,
  UNAVAILABLE: 10001,
  DEADLINE_EXCEEDED: 10001,
  CANCELLED: 10001,
  UNAUTHENTICATED: 10000,
  PERMISSION_DENIED: 10000,
  DATA_LOSS: 10001,
  UNIMPLEMENTED: 10025,
  INTERNAL: 10001,
};

/** Answers `result` in the envelope of every JSON answer of the API. */
export function sendResult(response: ServerResponse, result: unknown, info?: unknown): void {
  sendResultText(response, JSON.stringify(result), info);
}

/** The same for a result that is JSON text already. */
export function sendResultText(response: ServerResponse, result: string, info?: unknown): void {
  sendEnvelope(response, 200, resultText(result, info));
}

/** The envelope around a result that is JSON text. */
export function resultText(result: string, info?: unknown): string {
  const more = info === undefined ? '' : `,"result_info":${JSON.stringify(info)}`;
  return `{"success":true,"errors":[],"messages":[],"result":${result}${more}}`;
}

/** Answers the failure; its message has the form `operation: 'reason'`. What is no error of ours is thrown on. */
export function sendFailure(response: ServerResponse, operation: string, thrown: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { statusCode, code, reason, retryAfterMs } = failureOf(thrown);
  const named = (thrown instanceof Refusal ? thrown.operation : undefined) ?? operation;
  if (retryAfterMs !== undefined) response.setHeader('retry-after', Math.ceil(retryAfterMs / 1000));
  // Set for a raw answer that failed before its first byte.
  response.removeHeader('expiration');
  const message = isUnauthenticated(thrown) ? `Authentication error: ${reason}` : `${named}: '${reason}'`;
  const errors = [{ code, message }];
  sendEnvelope(response, statusCode, JSON.stringify({ success: false, errors, messages: [], result: null }));
}

/** Whose message begins in the original's words, which name no operation. */
function isUnauthenticated(thrown: unknown): boolean {
  return isMeridianError(thrown, 'UNAUTHENTICATED');
}

/** The original's words, which scripts look for. */
const titleTaken = 'a namespace with this account ID and title already exists';

interface Failure {
  readonly statusCode: number;
  readonly code: number;
  readonly reason: string;
  readonly retryAfterMs?: number | undefined;
}

function failureOf(thrown: unknown): Failure {
  if (thrown instanceof Refusal) {
    return { statusCode: thrown.statusCode, code: thrown.restCode, reason: thrown.message };
  }
  const { code, message, details } = toMeridianError(thrown);
  if (code === 'INTERNAL') throw thrown;
  const { retryAfterMs } = details;
  if (code === 'NOT_FOUND') return { statusCode: 404, code: restCodes[code], reason: 'namespace not found' };
  if (code === 'ALREADY_EXISTS') return { statusCode: 400, code: restCodes[code], reason: titleTaken };
  return { statusCode: httpStatus[code], code: restCodes[code], reason: message, retryAfterMs };
}

function sendEnvelope(response: ServerResponse, statusCode: number, text: string): void {
  const bytes = Buffer.from(text);
  response.statusCode = statusCode;
  response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', bytes.byteLength);
  response.end(bytes);
}
