import { MeridianError } from '../../model/errors.ts';
import { limits } from '../../model/limits.ts';
import { type NamespaceId, parseNamespaceId } from '../../model/namespace.ts';
import { type LogId, type MemberId, type Position, parseLogId, parseMemberId } from '../../model/position.ts';
import { emptySession, type Session } from '../../model/session.ts';
import type { Bound } from '../../model/staleness.ts';
import { bottomStamp, parseStamp, type Stamp } from '../../model/stamp.ts';
import type { VersionVector } from '../../model/version-vector.ts';

export interface WirePosition {
  readonly log: string;
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
  readonly rootLog: string;
}

export function malformed(what: string, seen: unknown): MeridianError {
  return new MeridianError('INVALID_ARGUMENT', `${what} is malformed: ${String(seen).slice(0, 80)}`, {
    reason: 'malformed',
  });
}

export function decodeMemberId(text: string): MemberId {
  const member = parseMemberId(text);
  if (member === undefined) throw malformed("a member's id (16 hex digits)", text);
  return member;
}

export function decodeLog(text: string): LogId {
  const log = parseLogId(text);
  if (log === undefined) throw malformed("a log's id (16 hex digits)", text);
  return log;
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
  return { log: decodeLog(position.log), sequence: position.sequence };
}

export function encodeVector(vector: VersionVector): WireVector {
  return { sequences: Object.fromEntries(vector) };
}

/** Components of a vector between nodes. Cursors, floors and reports name every log that ever existed. */
export const nodeVectorComponentsMax = 1_000_000;

export function decodeVector(
  vector: WireVector | null | undefined,
  componentsMax = nodeVectorComponentsMax,
): VersionVector {
  const entries = Object.entries(vector?.sequences ?? {});
  if (entries.length > componentsMax) throw tooManyComponents(componentsMax, entries.length);
  return new Map(entries.map(([log, sequence]) => [decodeLog(log), sequence]));
}

export function tooManyComponents(limit: number, seen: number): MeridianError {
  return new MeridianError('INVALID_ARGUMENT', `a vector has at most ${limit} components; this one has ${seen}`, {
    reason: 'vector-too-long',
    limit,
    seen,
  });
}

export function encodeSession({ vector, stamp }: Session): WireSession {
  return { vector: encodeVector(vector), stamp: stamp === bottomStamp ? '' : stamp };
}

/** The session of a request or an answer: as small as the cluster. */
export function decodeSession(session: WireSession | null | undefined): Session {
  if (session === null || session === undefined) return emptySession;
  return {
    vector: decodeVector(session.vector, limits.vectorComponentsMax),
    stamp: session.stamp === '' ? bottomStamp : decodeStamp(session.stamp),
  };
}

export function encodeBound(bound: Bound | undefined): WireBound | undefined {
  return bound === undefined ? undefined : { stalenessMs: bound.boundMs, rootLog: bound.root };
}

export function decodeBound(bound: WireBound | null | undefined): { readonly bound?: Bound } {
  if (bound === null || bound === undefined) return {};
  return { bound: { boundMs: bound.stalenessMs, root: decodeLog(bound.rootLog) } };
}

/** `{ [name]: value }`, or nothing if the value is unset: proto3's optional fields. */
export function optional<N extends string, V>(name: N, value: V | null | undefined): { readonly [K in N]?: V } {
  return (value === null || value === undefined ? {} : { [name]: value }) as { readonly [K in N]?: V };
}
