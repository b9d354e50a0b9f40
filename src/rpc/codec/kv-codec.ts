import type {
  GetAnswer,
  GetRequest,
  ListAnswer,
  ListedKey,
  ListRequest,
  Provenance,
  Source,
} from '../../model/key-value.ts';
import { limits } from '../../model/limits.ts';
import type { Record as StoredRecord } from '../../model/record.ts';
import { bottomStamp } from '../../model/stamp.ts';
import { type RecordBodies, writeRecordBody } from './record-body.ts';
import {
  decodeBound,
  decodeNamespaceId,
  decodePosition,
  decodeSession,
  decodeStamp,
  decodeVector,
  encodeBound,
  encodeSession,
  encodeVector,
  malformed,
  optional,
  type WireBound,
  type WirePosition,
  type WireSession,
  type WireVector,
} from './record-codec.ts';
import { WireWriter } from './wire-format.ts';

export interface WireReadOptions {
  readonly maxStalenessMs?: number | null;
  readonly atOrigin?: boolean;
}

export interface WireGetRequest {
  readonly namespace: string;
  readonly key: string;
  readonly options: WireReadOptions | null;
  readonly session: WireSession | null;
}

export interface WireProvenance {
  readonly source: string;
  readonly bound?: WireBound | null | undefined;
  readonly past: boolean;
  readonly covered: WireVector | null;
  readonly responder: string;
  readonly namespaceId: string;
}

export interface WireGetResponse {
  readonly found: boolean;
  readonly value: Uint8Array;
  readonly metadata?: string | null;
  readonly expiresAt?: number | null;
  readonly version: string;
  readonly position: WirePosition | null;
  readonly provenance: WireProvenance | null;
  readonly valueBytes: number;
  readonly session: WireSession | null;
}

export interface WireListRequest extends Omit<WireGetRequest, 'key'> {
  readonly prefix: string;
  readonly limit: number;
  readonly cursor: string;
}

export interface WireListResponse {
  readonly keys: ReadonlyArray<{
    key: string;
    version: string;
    metadata?: string | null;
    expiresAt?: number | null;
    valueBytes: number;
    damaged?: boolean;
  }>;
  readonly cursor: string;
  readonly provenance: WireProvenance | null;
  readonly session: WireSession | null;
}

const noBytes = new Uint8Array();

export function encodeRead({
  maxStalenessMs,
  atOrigin,
}: Pick<GetRequest, 'maxStalenessMs' | 'atOrigin'>): WireReadOptions {
  return { ...optional('maxStalenessMs', maxStalenessMs), atOrigin: atOrigin === true };
}

export function decodeRead(options: WireReadOptions | null): Pick<GetRequest, 'maxStalenessMs' | 'atOrigin'> {
  const maxStalenessMs = options?.maxStalenessMs;
  if (typeof maxStalenessMs === 'number' && !(maxStalenessMs >= 0)) throw malformed('max_staleness_ms', maxStalenessMs);
  return { ...optional('maxStalenessMs', maxStalenessMs), ...(options?.atOrigin === true ? { atOrigin: true } : {}) };
}

export function encodeGet(request: GetRequest): WireGetRequest {
  const { namespace, key, session } = request;
  return { namespace, key, options: encodeRead(request), session: encodeSession(session) };
}

export function decodeGet({ namespace, key, options, session }: WireGetRequest): GetRequest {
  return { namespace, key, session: decodeSession(session), ...decodeRead(options) };
}

export function encodeProvenance(answer: Provenance): WireProvenance {
  return {
    source: answer.source.toUpperCase(),
    bound: encodeBound(answer.bound),
    past: answer.past,
    covered: encodeVector(answer.covered),
    responder: answer.responder,
    namespaceId: answer.namespace,
  };
}

const sources = new Map<string, Source>([
  ['ORIGIN', 'origin'],
  ['COPY', 'copy'],
  ['CACHE', 'cache'],
]);

export function decodeProvenance(wire: WireProvenance | null, session: WireSession | null): Provenance {
  const source = sources.get(wire?.source ?? '');
  if (wire === null || source === undefined) throw malformed('the provenance of an answer', wire?.source);
  return {
    namespace: decodeNamespaceId(wire.namespaceId),
    source,
    past: wire.past,
    covered: decodeVector(wire.covered),
    responder: wire.responder,
    session: decodeSession(session),
    ...decodeBound(wire.bound),
  };
}

/** With `value: false` everything but the value: the header of Read. */
export function encodeGetAnswer(answer: GetAnswer, { value }: { readonly value: boolean }): WireGetResponse {
  const { record } = answer;
  const live = record?.kind === 'live' ? record : undefined;
  return {
    found: live !== undefined,
    value: live !== undefined && value ? live.value : noBytes,
    ...optional('metadata', live?.metadata),
    ...optional('expiresAt', record?.expiresAt),
    version: record?.stamp ?? '',
    position: record?.position ?? null,
    provenance: encodeProvenance(answer),
    valueBytes: live?.value.byteLength ?? 0,
    session: encodeSession(answer.session),
  };
}

/** The whole message; the bytes of its record are kept for the next time. */
export function encodeGetBytes(
  answer: GetAnswer,
  bodies: RecordBodies,
  serialize: (message: object) => Buffer,
): Buffer {
  const rest = serialize({ provenance: encodeProvenance(answer), session: encodeSession(answer.session) });
  const body = answer.record && bodies.of(answer.record);
  const writer = new WireWriter((body?.bytes ?? 0) + rest.length);
  if (body !== undefined) writeRecordBody(writer, body);
  writer.bytes(rest);
  return writer.written();
}

export function decodeGetAnswer(wire: WireGetResponse, key: string, value: Uint8Array = wire.value): GetAnswer {
  const provenance = decodeProvenance(wire.provenance, wire.session);
  if (wire.version === '') return { ...provenance, record: undefined };
  const written = {
    namespace: provenance.namespace,
    key,
    stamp: decodeStamp(wire.version),
    position: decodePosition(wire.position),
    ...optional('expiresAt', wire.expiresAt),
  };
  const record: StoredRecord = wire.found
    ? { kind: 'live', ...written, value, ...optional('metadata', wire.metadata) }
    : { kind: 'tombstone', ...written };
  return { ...provenance, record };
}

export function encodeList(request: ListRequest): WireListRequest {
  const { namespace, prefix, limit, cursor = '', session } = request;
  return { namespace, prefix, limit, cursor, options: encodeRead(request), session: encodeSession(session) };
}

export function decodeList({ namespace, prefix, limit, cursor, options, session }: WireListRequest): ListRequest {
  return {
    namespace,
    prefix,
    limit: limit === 0 ? limits.listKeysMax : limit,
    ...(cursor === '' ? {} : { cursor }),
    session: decodeSession(session),
    ...decodeRead(options),
  };
}

export function encodeListAnswer(answer: ListAnswer): WireListResponse {
  return {
    keys: answer.keys.map(({ stamp, ...rest }) => ({ ...rest, version: rest.damaged ? '' : stamp })),
    cursor: answer.cursor ?? '',
    provenance: encodeProvenance(answer),
    session: encodeSession(answer.session),
  };
}

function decodeListedKey(listed: WireListResponse['keys'][number]): ListedKey {
  const { key, version, metadata, expiresAt, valueBytes, damaged } = listed;
  if (damaged === true) return { key, damaged, stamp: bottomStamp, valueBytes };
  return {
    key,
    stamp: decodeStamp(version),
    valueBytes,
    ...optional('metadata', metadata),
    ...optional('expiresAt', expiresAt),
  };
}

export function decodeListAnswer({ keys, cursor, provenance, session }: WireListResponse): ListAnswer {
  return {
    ...decodeProvenance(provenance, session),
    keys: keys.map(decodeListedKey),
    ...(cursor === '' ? {} : { cursor }),
  };
}
