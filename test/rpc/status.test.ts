import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, type ErrorDetails, MeridianError } from '../../src/model/errors.ts';
import { fromServiceError, toStatus } from '../../src/rpc/status.ts';
import { decodeStatusDetail, encodeStatusDetail } from '../../src/rpc/status-detail.ts';

const codes: Readonly<Record<ErrorCode, number>> = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
};

const address = '10.0.0.1:7100';

describe('the status of a failed call', () => {
  it.each(Object.entries(codes) as Array<[ErrorCode, number]>)('carries %s as gRPC code %i and back', (code, grpc) => {
    const details: ErrorDetails = {
      reason: 'some-reason',
      limit: 512,
      seen: 513.5,
      versionFound: 'f'.repeat(32),
      retryAfterMs: 250,
    };
    const status = toStatus(new MeridianError(code, 'why – ü', details));
    expect(status.code).toBe(grpc);
    const back = fromServiceError(status, { address });
    expect(back).toMatchObject({ name: 'MeridianError', code, message: 'why – ü', details });
  });

  it('makes of a thrown thing that is no MeridianError an internal error', () => {
    expect(fromServiceError(toStatus(new TypeError('oops')), { address })).toMatchObject({ code: 'INTERNAL' });
  });

  const failed = (code: number, details: string) => Object.assign(new Error(details), { code, details });

  it('marks a call that certainly never left as not connected, and no other', () => {
    const reasonOf = (details: string) => fromServiceError(failed(14, details), { address }).details.reason;
    expect(reasonOf('No connection established. Last error: x')).toBe('not-connected');
    expect(reasonOf('Name resolution failed for target dns:nowhere:1')).toBe('not-connected');
    expect(reasonOf('Stream refused by server')).toBe('not-connected');
    expect(reasonOf('Connection dropped')).toBe('unavailable');
  });

  it('says of a connection that broke under the call that the node was not reached', () => {
    const details =
      'Received RST_STREAM with code 2 triggered by internal client error: Session closed with error code 2';
    expect(fromServiceError(failed(13, details), { address })).toMatchObject({
      code: 'UNAVAILABLE',
      message: `the connection to ${address} failed: ${details}`,
      details: { reason: 'unavailable' },
    });
    expect(fromServiceError(failed(13, 'a handler failed'), { address }).code).toBe('INTERNAL');
  });

  it.each([
    [
      14,
      `No connection established. Last error: Error: connect ECONNREFUSED ${address}. Resolution note: `,
      `no connection to ${address}: connect ECONNREFUSED ${address}`,
    ],
    [14, 'No connection established', `no connection to ${address}: the transport tells no cause`],
    [
      14,
      'No connection established. Last error: undefined. Resolution note: ',
      `no connection to ${address}: the transport tells no cause`,
    ],
    [
      14,
      'No connection established. Last error: null. Resolution note: ',
      `no connection to ${address}: the transport tells no cause`,
    ],
    [
      14,
      'Name resolution failed for target dns:x',
      `no connection to ${address}: Name resolution failed for target dns:x`,
    ],
    [14, 'Connection dropped', `the connection to ${address} failed: Connection dropped`],
    [
      4,
      'Deadline exceeded after 0.12s,name resolution: 0.068s',
      `${address} gave no answer before the deadline passed`,
    ],
    [12, 'The server does not implement the method', `${address}: The server does not implement the method`],
  ])('names the node that is not reached (gRPC code %i: %s)', (code, details, message) => {
    expect(fromServiceError(failed(code, details), { address }).message).toBe(message);
  });

  it('gives every detail back as it was', () => {
    const detail = fc.record(
      {
        limit: fc.double({ noNaN: true }),
        seen: fc.double({ noNaN: true }),
        versionFound: fc.string({ unit: 'grapheme' }),
        retryAfterMs: fc.nat(2 ** 31),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(16), detail, (message, grpcCode, rest) => {
        const status = { grpcCode, message, code: 'NOT_FOUND', details: { reason: 'r', ...rest } };
        expect(decodeStatusDetail(encodeStatusDetail(status))).toEqual(status);
      }),
    );
  });

  it('reads whatever bytes come without failing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeStatusDetail(Buffer.from(bytes));
      }),
    );
  });
});
