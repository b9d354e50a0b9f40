import { type ErrorCode, type ErrorDetails, MeridianError } from '../../model/errors.ts';

/** An operational failure as it travels between processes: a class does not. */
export interface WireFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

export function encodeFailure({ code, message, details }: MeridianError): WireFailure {
  return { code, message, details };
}

export function decodeFailure({ code, message, details }: WireFailure): MeridianError {
  return new MeridianError(code, message, details);
}
