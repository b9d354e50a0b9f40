import { Metadata, type ServiceError, type StatusObject, status } from '@grpc/grpc-js';
import { type ErrorCode, MeridianError, toMeridianError } from '../model/errors.ts';
import type { WireFailure } from './codec/pipeline-responses.ts';
import { optional } from './codec/record-codec.ts';
import { decodeStatusDetail, encodeStatusDetail } from './status-detail.ts';
import { transportCause, withoutPlaces } from './transport-cause.ts';

/** gRPC's code for each of ours. Exhaustive by its type: a new code does not compile until it stands here. */
const grpcCode: Readonly<Record<ErrorCode, status>> = {
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  NOT_FOUND: status.NOT_FOUND,
  ALREADY_EXISTS: status.ALREADY_EXISTS,
  FAILED_PRECONDITION: status.FAILED_PRECONDITION,
  RESOURCE_EXHAUSTED: status.RESOURCE_EXHAUSTED,
  UNAVAILABLE: status.UNAVAILABLE,
  DEADLINE_EXCEEDED: status.DEADLINE_EXCEEDED,
  CANCELLED: status.CANCELLED,
  UNAUTHENTICATED: status.UNAUTHENTICATED,
  PERMISSION_DENIED: status.PERMISSION_DENIED,
  DATA_LOSS: status.DATA_LOSS,
  UNIMPLEMENTED: status.UNIMPLEMENTED,
  INTERNAL: status.INTERNAL,
};

const codeOfGrpc = new Map(Object.entries(grpcCode).map(([code, grpc]) => [grpc, code as ErrorCode]));
const detailsKey = 'grpc-status-details-bin';

/** A failure as the status that ends a call. */
export function toStatus(thrown: unknown): Partial<StatusObject> & Error {
  const { code, message, details } = toMeridianError(thrown);
  const metadata = new Metadata();
  metadata.set(detailsKey, encodeStatusDetail({ grpcCode: grpcCode[code], message, code, details }));
  return Object.assign(new Error(message), { code: grpcCode[code], details: message, metadata });
}

/** How errors name the node that was called. */
export interface NamedNode {
  readonly address: string;
  /** For callers that are not to know its address. Default: by that. */
  readonly shownAs?: string | undefined;
}

/** The error of our call to that node: what it said, or how the connection to it failed. */
export function fromServiceError(error: unknown, node: NamedNode): MeridianError {
  if (!isServiceError(error)) return toMeridianError(error);
  const [bytes] = error.metadata?.get(detailsKey) ?? [];
  const detail = bytes instanceof Buffer ? decodeStatusDetail(bytes) : undefined;
  const known = detail !== undefined && detail.code in grpcCode;
  if (detail !== undefined) {
    const code = known ? (detail.code as ErrorCode) : (codeOfGrpc.get(error.code) ?? 'INTERNAL');
    return new MeridianError(code, error.details, { ...detail.details, cause: error });
  }
  const said = error.details || error.message;
  const code = streamReset.test(said) ? 'UNAVAILABLE' : (codeOfGrpc.get(error.code) ?? 'INTERNAL');
  const reason = wasNotSent(code, said) ? 'not-connected' : code.toLowerCase().replaceAll('_', '-');
  return new MeridianError(code, transportMessage(code, said, node), { reason, cause: error });
}

/** The error of an operation of Pipeline, as a call of its own would have it. */
export function fromFailure({ code: grpc, message, detail }: WireFailure): MeridianError {
  const known = detail !== null && detail.code in grpcCode;
  const code = known ? (detail.code as ErrorCode) : (codeOfGrpc.get(grpc) ?? 'INTERNAL');
  return new MeridianError(code, message, {
    reason: detail?.reason ?? code.toLowerCase().replaceAll('_', '-'),
    ...optional('limit', detail?.limit),
    ...optional('seen', detail?.seen),
    ...optional('versionFound', detail?.versionFound),
    ...optional('retryAfterMs', detail?.retryAfterMs),
  });
}

const neverConnected = /^(No connection established(\. Last error: (Error: )?)?|(?=Name resolution failed))/;

/** RFC 9113, section 8.7: a server did nothing for what it refused so. A connection that is just ending refuses so. */
const refused = /^Stream refused by server/;

/** The connection broke under the call: grpc-js calls that INTERNAL, as if the node had failed at it. */
const streamReset = /^Received RST_STREAM with code/;

/** Only what certainly did nothing at the node may be sent elsewhere, whatever it is. */
function wasNotSent(code: ErrorCode, said: string): boolean {
  return code === 'UNAVAILABLE' && (neverConnected.test(said) || refused.test(said));
}

/** It names the node that is not reached: who asks several, or an edge, would not know which one it is. */
function transportMessage(code: ErrorCode, said: string, { address, shownAs }: NamedNode): string {
  const node = shownAs ?? address;
  if (code === 'DEADLINE_EXCEEDED') return `${node} gave no answer before the deadline passed`;
  if (code !== 'UNAVAILABLE') return `${node}: ${said}`;
  const why = said.replace(neverConnected, '').replace(/\. Resolution note: .*$/s, '');
  const told = /^(undefined|null)?$/.test(why) ? 'the transport tells no cause' : transportCause(why);
  const cause = shownAs === undefined ? told : withoutPlaces(told);
  return neverConnected.test(said)
    ? `no connection to ${node}: ${cause}`
    : `the connection to ${node} failed: ${cause}`;
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}
