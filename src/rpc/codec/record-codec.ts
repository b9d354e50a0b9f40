import { MeridianError } from '../../model/errors.ts';
import { limits } from '../../model/limits.ts';
import { type NamespaceId, parseNamespaceId } from '../../model/namespace.ts';
import { type OriginId, type Position, parseOriginId } from '../../model/position.ts';
import { emptySession, type Session } from '../../model/session.ts';
import type { Bound } from '../../model/staleness.ts';
import { bottomStamp, parseStamp, type Stamp } from '../../model/stamp.ts';
import type { VersionVector } from '../../model/version-vector.ts';

export interface WirePosition {
  readonly origin: string;
  readonly sequence: number;
}

export interface WireVector {
  readonly sequences: Readonly<Record<string, number>>;
}

export interface WireSession {
  readonly vector: WireVector | null;
  readonly stamp: string;
}

export interface WireBound {
  readonly stalenessMs: number;
  readonly rootOrigin: string;
}

export function malformed(what: string, seen: unknown): MeridianError {
  return new MeridianError('INVALID_ARGUMENT', `${what} is malformed: ${String(seen).slice(0, 80)}`, {
    reason: 'malformed',
  });
}

export function decodeOrigin(text: string): OriginId {
  const origin = parseOriginId(text);
  if (origin === undefined) throw malformed('an origin id (16 hex digits)', text);
  return origin;
}

export function decodeStamp(text: string): Stamp {
  const stamp = parseStamp(text);
  if (stamp === undefined) throw malformed('a version (32 hex digits)', text);
  return stamp;
}

export function decodeNamespaceId(text: string): NamespaceId {
  const id = parseNamespaceId(text);
  if (id === undefined) throw malformed('a namespace id (32 hex digits)', text);
  return id;
}

export function decodePosition(position: WirePosition | null): Position {
  if (position === null) throw malformed('a position', 'none');
  return { origin: decodeOrigin(position.origin), sequence: position.sequence };
}

export function encodeVector(vector: VersionVector): WireVector {
  return { sequences: Object.fromEntries(vector) };
}

export function decodeVector(vector: WireVector | null | undefined): VersionVector {
  const entries = Object.entries(vector?.sequences ?? {});
  if (entries.length > limits.vectorComponentsMax) {
    throw new MeridianError(
      'INVALID_ARGUMENT',
      `a vector has at most ${limits.vectorComponentsMax} components; this one has ${entries.length}`,
      { reason: 'vector-too-long', limit: limits.vectorComponentsMax, seen: entries.length },
    );
  }
  return new Map(entries.map(([origin, sequence]) => [decodeOrigin(origin), sequence]));
}

export function encodeSession({ vector, stamp }: Session): WireSession {
  return { vector: encodeVector(vector), stamp: stamp === bottomStamp ? '' : stamp };
}

export function decodeSession(session: WireSession | null): Session {
  if (session === null) return emptySession;
  return {
    vector: decodeVector(session.vector),
    stamp: session.stamp === '' ? bottomStamp : decodeStamp(session.stamp),
  };
}

export function encodeBound(bound: Bound | undefined): WireBound | undefined {
  return bound === undefined ? undefined : { stalenessMs: bound.boundMs, rootOrigin: bound.root };
}

export function decodeBound(bound: WireBound | null | undefined): { readonly bound?: Bound } {
  if (bound === null || bound === undefined) return {};
  return { bound: { boundMs: bound.stalenessMs, root: decodeOrigin(bound.rootOrigin) } };
}

/** `{ [name]: value }`, or nothing where the value is unset: proto3's optional fields. */
export function optional<N extends string, V>(name: N, value: V | null | undefined): { readonly [K in N]?: V } {
  return (value === null || value === undefined ? {} : { [name]: value }) as { readonly [K in N]?: V };
}
