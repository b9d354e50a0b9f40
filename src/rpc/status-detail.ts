import type { ErrorDetails } from '../model/errors.ts';

/** What `grpc-status-details-bin` carries: google.rpc.Status with one ErrorDetail (proto/meridian/v1/record.proto). */
export interface StatusDetail {
  readonly grpcCode: number;
  readonly message: string;
  /** One of Meridian's codes, if the other side is of this version. */
  readonly code: string;
  readonly details: ErrorDetails;
}

const typeUrl = 'type.googleapis.com/meridian.v1.ErrorDetail';

/*
 * These two messages are the only ones that travel outside of a method's own types, where the loader of .proto files
 * gives no encoder; hence the few lines of wire format here: a tag is field · 8 + wire type, where 0 is a varint, 1 is
 * eight bytes, 2 is bytes with their length before them.
 */
export function encodeStatusDetail({ grpcCode, message, code, details }: StatusDetail): Buffer {
  const detail = Buffer.concat([
    text(1, details.reason),
    double(2, details.limit),
    double(3, details.seen),
    text(4, details.versionFound),
    details.retryAfterMs === undefined ? Buffer.alloc(0) : varint(5, Math.ceil(details.retryAfterMs)),
    text(6, code),
  ]);
  const any = Buffer.concat([text(1, typeUrl), bytes(2, detail)]);
  return Buffer.concat([varint(1, grpcCode), text(2, message), bytes(3, any)]);
}

/** Undefined if the bytes are no such status, or carry no detail of ours. */
export function decodeStatusDetail(encoded: Buffer): StatusDetail | undefined {
  const status = fieldsOf(encoded);
  const any = fieldsOf(bytesIn(status, 3));
  if (textIn(any, 1) !== typeUrl) return undefined;
  const detail = fieldsOf(bytesIn(any, 2));
  const [limit, seen] = [doubleIn(detail, 2), doubleIn(detail, 3)];
  const versionFound = textIn(detail, 4);
  const retryAfterMs = detail.get(5);
  return {
    grpcCode: Number(status.get(1) ?? 0),
    message: textIn(status, 2) ?? '',
    code: textIn(detail, 6) ?? '',
    details: {
      reason: textIn(detail, 1) ?? '',
      ...(limit === undefined ? {} : { limit }),
      ...(seen === undefined ? {} : { seen }),
      ...(versionFound === undefined ? {} : { versionFound }),
      ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
    },
  };
}

function varintBytes(value: number): Buffer {
  const out: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return Buffer.from([...out, rest]);
}

function varint(field: number, value: number): Buffer {
  return Buffer.concat([varintBytes(field * 8), varintBytes(value)]);
}

function bytes(field: number, value: Uint8Array): Buffer {
  return Buffer.concat([varintBytes(field * 8 + 2), varintBytes(value.byteLength), value]);
}

function text(field: number, value: string | undefined): Buffer {
  return value === undefined ? Buffer.alloc(0) : bytes(field, Buffer.from(value));
}

function double(field: number, value: number | undefined): Buffer {
  if (value === undefined) return Buffer.alloc(0);
  const eight = Buffer.alloc(8);
  eight.writeDoubleLE(value);
  return Buffer.concat([varintBytes(field * 8 + 1), eight]);
}

/** The last value of each field; a field that is cut short ends the reading. */
function fieldsOf(encoded: Buffer): Map<number, number | Buffer> {
  const fields = new Map<number, number | Buffer>();
  let at = 0;
  const next = () => {
    let value = 0;
    for (let factor = 1; at < encoded.length; factor *= 0x80) {
      const byte = encoded[at++] ?? 0;
      value += (byte % 0x80) * factor;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < encoded.length) {
    const tag = next();
    const field = Math.floor(tag / 8);
    if (tag % 8 === 0) fields.set(field, next());
    else if (tag % 8 === 1 || tag % 8 === 2) {
      const length = tag % 8 === 1 ? 8 : next();
      fields.set(field, encoded.subarray(at, at + length));
      at += length;
    } else return fields;
  }
  return fields;
}

function bytesIn(fields: Map<number, number | Buffer>, field: number): Buffer {
  const value = fields.get(field);
  return value instanceof Buffer ? value : Buffer.alloc(0);
}

function textIn(fields: Map<number, number | Buffer>, field: number): string | undefined {
  const value = fields.get(field);
  return value instanceof Buffer ? value.toString() : undefined;
}

function doubleIn(fields: Map<number, number | Buffer>, field: number): number | undefined {
  const value = fields.get(field);
  return value instanceof Buffer && value.length === 8 ? value.readDoubleLE() : undefined;
}
