import { type ErrorCode, toMeridianError } from '../model/errors.ts';
import { systemCode, systemFailure } from './system-failure.ts';
import { UsageError } from './usage-error.ts';

export const exitCodes = {
  done: 0,
  failed: 1,
  /** As diff(1) ends: with 1 where two things differ, with 2 where that could not be found out. */
  differ: 1,
  trouble: 2,
  usage: 2,
  missing: 3,
  /** This origin's member runs elsewhere, from a later opening of its store: to start it again would only stop that one. */
  replaced: 4,
  stopped: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const byError: Readonly<Record<ErrorCode, ExitCode>> = {
  INVALID_ARGUMENT: exitCodes.failed,
  NOT_FOUND: exitCodes.failed,
  ALREADY_EXISTS: exitCodes.failed,
  FAILED_PRECONDITION: exitCodes.failed,
  RESOURCE_EXHAUSTED: exitCodes.failed,
  UNAVAILABLE: exitCodes.failed,
  DEADLINE_EXCEEDED: exitCodes.failed,
  CANCELLED: exitCodes.stopped,
  UNAUTHENTICATED: exitCodes.failed,
  PERMISSION_DENIED: exitCodes.failed,
  DATA_LOSS: exitCodes.failed,
  UNIMPLEMENTED: exitCodes.failed,
  INTERNAL: exitCodes.failed,
};

/** Of what the command line, a variable or a file of options says, where only the operation itself finds it wrong. */
const usageReasons: ReadonlySet<string> = new Set([
  'bad-address',
  'bad-certificate',
  'bad-option',
  'bad-store-url',
  'backup-target',
  'data-folder-role',
  'no-store',
]);

/** What a failure ends the process with, and what it prints on standard error. */
export function describeFailure(
  thrown: unknown,
  json: boolean,
): { readonly exitCode: ExitCode; readonly line: string } {
  // What the system refuses says itself which file it was.
  const error = systemCode(thrown) === undefined ? thrown : systemFailure('', thrown);
  if (error instanceof UsageError) {
    const line = json
      ? JSON.stringify({ error: { code: 'USAGE', message: error.message } })
      : `meridian: ${error.message}`;
    return { exitCode: exitCodes.usage, line };
  }
  const { code, message, details } = toMeridianError(error);
  const line = json ? JSON.stringify({ error: { code, message, ...details } }) : `meridian: ${code}: ${message}`;
  return { exitCode: exitCodeOf(code, details.reason), line };
}

function exitCodeOf(code: ErrorCode, reason: string): ExitCode {
  if (reason === 'member-replaced') return exitCodes.replaced;
  return code === 'INVALID_ARGUMENT' && usageReasons.has(reason) ? exitCodes.usage : byError[code];
}
