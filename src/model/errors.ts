/**
 * Every operational failure of Meridian is a MeridianError with one of these codes. The wire protocols map each code in
 * one table each (rpc/status.ts, http/…, cli/exit-code.ts); a code without a mapping does not compile there.
 */
export type ErrorCode =
  /** A request breaks a limit or a rule of form. The message names the limit and the value seen. */
  | 'INVALID_ARGUMENT'
  /** The namespace (never the key: an absent key is an answer) does not exist. */
  | 'NOT_FOUND'
  /** A title or member that should be new exists already. */
  | 'ALREADY_EXISTS'
  /** A condition of a write was not met, or a value is too large for a unary answer. Carries the version found. */
  | 'FAILED_PRECONDITION'
  /** A bound of the node is reached (loads, scans, message size). Carries a delay after which to try again. */
  | 'RESOURCE_EXHAUSTED'
  /** No node that could answer is reached, and nothing that is held may be served. */
  | 'UNAVAILABLE'
  /** The caller's deadline passed. Says nothing about whether a write happened. */
  | 'DEADLINE_EXCEEDED'
  /** The caller went away or said stop. */
  | 'CANCELLED'
  | 'UNAUTHENTICATED'
  | 'PERMISSION_DENIED'
  /** Stored data is damaged or of an unknown format. */
  | 'DATA_LOSS'
  | 'UNIMPLEMENTED'
  | 'INTERNAL';

/** Details that accompany an error to the caller. */
export interface ErrorDetails {
  /** A stable, machine-readable name of the very reason, in kebab-case: `key-too-long`, `unknown-namespace`, … */
  readonly reason: string;
  /** The limit that was broken, and the value seen, in the unit that the message names. */
  readonly limit?: number;
  readonly seen?: number;
  /** The version found where a condition failed; absent where no live record was found. */
  readonly versionFound?: string;
  /** Milliseconds after which trying again makes sense. */
  readonly retryAfterMs?: number;
}

export class MeridianError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails & { readonly cause?: unknown }) {
    const { cause, ...rest } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'MeridianError';
    this.code = code;
    this.details = rest;
  }
}

/** True for a MeridianError, of the given code where one is given. */
export function isMeridianError(error: unknown, code?: ErrorCode): error is MeridianError {
  return error instanceof MeridianError && (code === undefined || error.code === code);
}

/** Reasons of UNAVAILABLE if the other side did nothing: there was no connection, or it stopped before it began. */
const neverBegun = new Set(['not-connected', 'drained']);

/** True if the request certainly did nothing, so that it may be sent elsewhere, even a write. */
export function wasNeverBegun(error: unknown): boolean {
  return isMeridianError(error, 'UNAVAILABLE') && neverBegun.has(error.details.reason);
}

/**
 * True if the other side refused the request, or ended it, because its token is not valid any more: a caller that has
 * another token by now may ask again.
 */
export function hasTokenEnded(error: unknown): boolean {
  return isMeridianError(error, 'UNAUTHENTICATED') && error.details.reason === 'token-ended';
}

/** Any thrown thing as a MeridianError: itself, or INTERNAL with the cause kept. */
export function toMeridianError(error: unknown): MeridianError {
  if (error instanceof MeridianError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new MeridianError('INTERNAL', `internal error: ${message}`, { reason: 'internal', cause: error });
}
