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

/** The error of a status of 500 and more; INTERNAL where no other has it alone. */
export function errorOfStatus(status: number): ErrorCode {
  const codes = (Object.keys(httpStatus) as ErrorCode[]).filter((code) => httpStatus[code] === status);
  const [code] = codes;
  return code !== undefined && codes.length === 1 ? code : 'INTERNAL';
}
