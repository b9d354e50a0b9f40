import type { Condition, Durability, Expiry, Mutation, WriteAnswer, WriteRequest } from '../../model/key-value.ts';
import {
  decodeMemberId,
  decodeNamespaceId,
  decodePosition,
  decodeSession,
  decodeStamp,
  decodeVector,
  encodeSession,
  encodeVector,
  malformed,
  optional,
  type WirePosition,
  type WireSession,
  type WireVector,
} from './record-codec.ts';

export interface WireCondition {
  readonly ifAbsent?: boolean;
  readonly ifVersion?: string;
  readonly condition?: string;
}

export interface WireExpiry {
  readonly inSeconds?: number;
  readonly atSeconds?: number;
  readonly when?: string;
}

export interface WireWriteOptions {
  readonly durability: string;
  readonly durabilityTimeoutMs?: number | null;
  readonly tracked?: boolean;
}

type WriteOptions = Pick<WriteRequest, 'durability' | 'durabilityTimeoutMs' | 'tracked'>;

export interface WireWriteResponse {
  readonly written: ReadonlyArray<{ version: string; position: WirePosition | null; expiresAt?: number | null }>;
  readonly durability: string;
  readonly covered: WireVector | null;
  readonly namespaceId: string;
  readonly origin: string;
  readonly session: WireSession | null;
}

export function encodeCondition(condition: Condition | undefined): WireCondition | null {
  if (condition === undefined) return null;
  return condition.kind === 'absent' ? { ifAbsent: true } : { ifVersion: condition.version };
}

function decodeCondition(wire: WireCondition | null): { readonly condition?: Condition } {
  if (wire === null || wire.condition === undefined || (wire.condition === 'ifAbsent' && wire.ifAbsent !== true))
    return {};
  if (wire.condition === 'ifAbsent') return { condition: { kind: 'absent' } };
  return { condition: { kind: 'version', version: decodeStamp(wire.ifVersion ?? '') } };
}

export function encodeExpiry(expiry: Expiry | undefined): WireExpiry | null {
  if (expiry === undefined) return null;
  return expiry.kind === 'in' ? { inSeconds: expiry.seconds } : { atSeconds: expiry.seconds };
}

function decodeExpiry(wire: WireExpiry | null): { readonly expiry?: Expiry } {
  if (wire?.when === 'inSeconds') return { expiry: { kind: 'in', seconds: wire.inSeconds ?? 0 } };
  if (wire?.when === 'atSeconds') return { expiry: { kind: 'at', seconds: wire.atSeconds ?? 0 } };
  return {};
}

export interface WirePutBody {
  readonly value: Uint8Array;
  readonly metadata?: string | null;
  readonly expiry: WireExpiry | null;
}

export function decodePut(key: string, body: WirePutBody, condition: WireCondition | null): Mutation {
  return {
    kind: 'put',
    key,
    value: body.value,
    ...optional('metadata', body.metadata),
    ...decodeExpiry(body.expiry),
    ...decodeCondition(condition),
  };
}

export function decodeDelete(key: string, condition: WireCondition | null): Mutation {
  return { kind: 'delete', key, ...decodeCondition(condition) };
}

const durabilities = new Map<string, Durability>([
  ['LOCAL', 'local'],
  ['MAJORITY', 'majority'],
  ['ALL', 'all'],
]);
const unspecified = 'DURABILITY_UNSPECIFIED';

export function encodeDurability(reached: Durability): string {
  return reached.toUpperCase();
}

/** Of a level that a later version reached nothing is known but that it was synced. */
export function decodeDurability(reached: string): Durability {
  return durabilities.get(reached) ?? 'local';
}

export function encodeWriteOptions({ durability, durabilityTimeoutMs, tracked }: WriteOptions): WireWriteOptions {
  return {
    durability: durability?.toUpperCase() ?? unspecified,
    ...optional('durabilityTimeoutMs', durabilityTimeoutMs),
    ...optional('tracked', tracked),
  };
}

export function decodeWriteOptions(options: WireWriteOptions | null): WriteOptions {
  const { durability = unspecified, durabilityTimeoutMs, tracked } = options ?? {};
  const level = durabilities.get(durability);
  // Less than what a later client asks for would be promised otherwise.
  if (level === undefined && durability !== unspecified) throw malformed('durability', durability);
  if (typeof durabilityTimeoutMs === 'number' && !(durabilityTimeoutMs >= 0)) {
    throw malformed('durability_timeout_ms', durabilityTimeoutMs);
  }
  return {
    ...optional('durability', level),
    ...optional('durabilityTimeoutMs', durabilityTimeoutMs),
    ...(tracked === true ? { tracked } : {}),
  };
}

export function encodeWriteAnswer(answer: WriteAnswer): WireWriteResponse {
  return {
    written: answer.written.map(({ stamp, position, expiresAt }) => ({
      version: stamp,
      position,
      ...optional('expiresAt', expiresAt),
    })),
    durability: encodeDurability(answer.durability),
    covered: encodeVector(answer.covered),
    namespaceId: answer.namespace,
    origin: answer.origin,
    session: encodeSession(answer.session),
  };
}

export function decodeWriteAnswer(wire: WireWriteResponse): WriteAnswer {
  return {
    namespace: decodeNamespaceId(wire.namespaceId),
    origin: decodeMemberId(wire.origin),
    written: wire.written.map(({ version, position, expiresAt }) => ({
      stamp: decodeStamp(version),
      position: decodePosition(position),
      ...optional('expiresAt', expiresAt),
    })),
    durability: decodeDurability(wire.durability),
    covered: decodeVector(wire.covered),
    session: decodeSession(wire.session),
  };
}
