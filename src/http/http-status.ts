import type { ErrorCode } from '../model/errors.ts';

/** The HTTP status of each error. Exhaustive by its type: a new code does not compile until it stands here. */
export const httpStatus: Readonly<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: 400,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  FAILED_PRECONDITION: 412,
  RESOURCE_EXHAUSTED: 429,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
  CANCELLED: 499,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  DATA_LOSS: 500,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
};
