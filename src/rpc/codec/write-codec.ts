import {
  type Condition,
  type Durability,
  durabilities,
  type Expiry,
  type Mutation,
  type WriteRequest,
} from '../../model/key-value.ts';
import { decodeStamp, malformed, optional } from './record-codec.ts';

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

/** The totals of a batch. */
export interface WireBatchSize {
  readonly mutations: number;
  /** Bytes of all values. */
  readonly valueBytes: number;
}

type WriteOptions = Pick<WriteRequest, 'durability' | 'durabilityTimeoutMs' | 'tracked'>;

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

const durabilityByName = new Map<string, Durability>(durabilities.map((level) => [encodeDurability(level), level]));
const unspecified = 'DURABILITY_UNSPECIFIED';

export function encodeDurability(reached: Durability): string {
  return reached.toUpperCase();
}

/** Of a level that only a later version knows, it is known only that the write was synced. */
export function decodeDurability(reached: string): Durability {
  return durabilityByName.get(reached) ?? 'local';
}

export function encodeWriteOptions({ durability, durabilityTimeoutMs, tracked }: WriteOptions): WireWriteOptions {
  return {
    durability: durability === undefined ? unspecified : encodeDurability(durability),
    ...optional('durabilityTimeoutMs', durabilityTimeoutMs),
    ...optional('tracked', tracked),
  };
}

export function decodeWriteOptions(options: WireWriteOptions | null): WriteOptions {
  const { durability = unspecified, durabilityTimeoutMs, tracked } = options ?? {};
  const level = durabilityByName.get(durability);
  // Otherwise less would be promised than a later client asks for.
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
