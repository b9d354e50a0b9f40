import { type ErrorCode, type MeridianError, toMeridianError } from '../model/errors.ts';
import { RespError } from './protocol/reply.ts';

/**
 * The first word of an error reply, for each of our codes. Exhaustive by its type: a new code does not compile until it
 * stands here. Clients know ERR, NOAUTH, NOPERM and TRYAGAIN; the others are ours.
 */
const kinds: Readonly<Record<ErrorCode, string>> = {
  INVALID_ARGUMENT: 'ERR',
  NOT_FOUND: 'ERR',
  ALREADY_EXISTS: 'ERR',
  FAILED_PRECONDITION: 'ERR',
  RESOURCE_EXHAUSTED: 'EXHAUSTED',
  UNAVAILABLE: 'UNAVAILABLE',
  DEADLINE_EXCEEDED: 'TIMEOUT',
  CANCELLED: 'ERR',
  UNAUTHENTICATED: 'NOAUTH',
  PERMISSION_DENIED: 'NOPERM',
  DATA_LOSS: 'DATALOSS',
  UNIMPLEMENTED: 'ERR',
  INTERNAL: 'ERR',
};

/** As Redis begins it, and what to do here. */
const noToken =
  'NOAUTH Authentication required: AUTH with the title or id of a namespace as the user name, and a token';

/** What was thrown, as a reply; a defect is told to `defect` too. */
export function toRespError(thrown: unknown, defect: (error: MeridianError) => void): RespError {
  if (thrown instanceof RespError) return thrown;
  const error = toMeridianError(thrown);
  if (error.code === 'INTERNAL') defect(error);
  if (error.details.reason === 'token-missing') return new RespError(noToken, error.details.reason);
  return new RespError(`${kinds[error.code]} ${error.message}`, error.details.reason);
}

export function syntaxError(): RespError {
  return new RespError('ERR syntax error', 'syntax');
}

export function notAnInteger(): RespError {
  return new RespError('ERR value is not an integer or out of range', 'not-an-integer');
}

export function invalidExpiry(command: string): RespError {
  return new RespError(`ERR invalid expire time in '${command}' command`, 'invalid-expiry');
}

export function wrongArity(name: string): RespError {
  return new RespError(`ERR wrong number of arguments for '${name}' command`, 'wrong-arity');
}
