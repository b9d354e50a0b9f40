import type {
  ClockStatus,
  FollowerStatus,
  HotKey,
  Member,
  MemberLog,
  NodeIdentity,
  NodeStatus,
  PeerStatus,
  ProcessStatus,
  RemovedMember,
  Report,
  ReportRequest,
  Role,
  ScopeDigest,
  ScopeStatus,
  Track,
  TrackArrival,
  UnsealedLog,
} from '../../model/cluster.ts';
import type { NamespaceInfo } from '../../model/namespace.ts';
import type { NamespaceChange } from '../../model/namespaces.ts';
import {
  decodeLog,
  decodeMemberId,
  decodeNamespaceId,
  decodeSession,
  decodeStamp,
  decodeVector,
  encodeSession,
  encodeVector,
  malformed,
  optional,
  type WireSession,
  type WireVector,
} from './record-codec.ts';
import { decodeDurability, encodeDurability } from './write-codec.ts';

export interface WireIdentity {
  readonly name: string;
  readonly role: string;
  readonly id: string;
  readonly region: string;
  readonly location?: { readonly north: number; readonly east: number } | null;
  readonly address?: string | null;
}

export interface WireNamespace {
  readonly id: string;
  readonly title: string;
  readonly home: string;
}

export interface WireNamespaceChange {
  readonly namespace: WireNamespace | null;
  readonly session: WireSession | null;
  readonly durability: string;
}

type WireScope = Omit<ScopeStatus, 'covered' | 'floor' | 'stable' | 'rootLog'> & {
  readonly covered: WireVector | null;
  readonly floor: WireVector | null;
  readonly stable: WireVector | null;
  readonly rootLog?: string | null;
};

interface WireClock {
  readonly skewMaxMs: number;
  readonly offsetMs?: number | null;
  readonly aheadMs?: number | null;
}

type WireFollower = Omit<FollowerStatus, 'location'> & Pick<WireIdentity, 'location'>;

type WireTrack = Omit<Track, 'log' | 'arrivals'> & {
  readonly log: string;
  readonly arrivals: ReadonlyArray<Omit<TrackArrival, 'elapsedMs'> & { readonly elapsedMs?: number | null }>;
};

export type WireStatus = Omit<
  NodeStatus,
  'node' | 'scopes' | 'log' | 'unsealed' | 'clock' | 'hotKeys' | 'followers' | 'tracks'
> & {
  readonly followers: readonly WireFollower[];
  readonly tracks?: readonly WireTrack[];
  readonly hotKeys?: ReadonlyArray<Omit<HotKey, 'namespace'> & { readonly namespace: string }>;
  readonly node: WireIdentity | null;
  readonly scopes: readonly WireScope[];
  readonly log?: string | null;
  readonly clock?: WireClock | null;
  readonly unsealed: ReadonlyArray<{ readonly log: string; readonly waitsFor: readonly string[] }>;
};

interface WireMemberLog {
  readonly log: string;
  readonly openedMs: number;
  readonly final?: number | null;
}

export interface WireMember {
  readonly node: WireIdentity | null;
  readonly connected: boolean;
  readonly logs: readonly WireMemberLog[];
}

export function encodeIdentity({ location, ...rest }: NodeIdentity): WireIdentity {
  return { ...rest, ...encodeLocation(location) };
}

function encodeLocation(location: NodeIdentity['location']): Pick<WireIdentity, 'location'> {
  return location === undefined ? {} : { location: { north: location[0], east: location[1] } };
}

function decodeLocation({ location }: Pick<WireIdentity, 'location'>): Pick<NodeIdentity, 'location'> {
  return location === null || location === undefined ? {} : { location: [location.north, location.east] };
}

export function decodeIdentity(wire: WireIdentity | null): NodeIdentity {
  if (wire === null || (wire.role !== 'origin' && wire.role !== 'edge')) throw malformed("a node's role", wire?.role);
  const { name, id, region } = wire;
  const role: Role = wire.role;
  return { name, role, id, region, ...decodeLocation(wire), ...optional('address', wire.address) };
}

export function decodeNamespace(wire: WireNamespace | null): NamespaceInfo {
  if (wire === null) throw malformed('a namespace', 'none');
  return { id: decodeNamespaceId(wire.id), title: wire.title, home: decodeMemberId(wire.home) };
}

export function encodeChange({ namespace, session, durability }: NamespaceChange): WireNamespaceChange {
  return { namespace, session: encodeSession(session), durability: encodeDurability(durability) };
}

export function decodeChange({ namespace, session, durability }: WireNamespaceChange): NamespaceChange {
  return {
    namespace: decodeNamespace(namespace),
    session: decodeSession(session),
    durability: decodeDurability(durability),
  };
}

export function encodeStatus({ node, scopes, followers, unsealed = [], ...rest }: NodeStatus): WireStatus {
  return {
    ...rest,
    node: encodeIdentity(node),
    followers: followers.map(({ location, ...follower }) => ({ ...follower, ...encodeLocation(location) })),
    unsealed,
    scopes: scopes.map(({ covered, floor, stable, ...scope }) => ({
      ...scope,
      covered: encodeVector(covered),
      floor: encodeVector(floor),
      stable: encodeVector(stable),
    })),
  };
}

export function decodeStatus(wire: WireStatus): NodeStatus {
  const { clusterId, version, ready, notes, uptimeMs, readOnly } = wire;
  const node = decodeIdentity(wire.node);
  return {
    node,
    clusterId,
    version,
    ready,
    notes,
    uptimeMs,
    readOnly,
    ...optional('hitRate', wire.hitRate),
    ...optional('reads', wire.reads),
    ...optional('writes', wire.writes),
    ...(wire.clock ? { clock: decodeClock(wire.clock) } : {}),
    ...(wire.log ? { log: decodeLog(wire.log) } : {}),
    ...(node.role === 'origin' ? { unsealed: wire.unsealed.map(decodeUnsealed) } : {}),
    scopes: wire.scopes.map(decodeScope),
    ...(wire.peers === undefined || wire.peers.length === 0 ? {} : { peers: wire.peers.map(decodePeer) }),
    followers: wire.followers.map(decodeFollower),
    hotKeys: (wire.hotKeys ?? []).map(({ namespace, ...rest }) => ({
      ...rest,
      namespace: decodeNamespaceId(namespace),
    })),
    tracks: (wire.tracks ?? []).map(decodeTrack),
    ...(wire.processes === undefined || wire.processes.length === 0
      ? {}
      : { processes: wire.processes.map(decodeProcess) }),
  };
}

function decodeProcess({ name, state, restarts, ready, ...rest }: ProcessStatus): ProcessStatus {
  return {
    ...{ name, state, restarts, ready },
    ...optional('pid', rest.pid),
    ...optional('boundMs', rest.boundMs),
    ...optional('hitRate', rest.hitRate),
  };
}

function decodeClock({ skewMaxMs, offsetMs, aheadMs }: WireClock): ClockStatus {
  return { skewMaxMs, ...optional('offsetMs', offsetMs), ...optional('aheadMs', aheadMs) };
}

function decodeUnsealed({ log, waitsFor }: WireStatus['unsealed'][number]): UnsealedLog {
  return { log: decodeLog(log), waitsFor };
}

function decodeTrack({ log, sequence, ageMs, arrivals }: WireTrack): Track {
  return {
    ...{ log: decodeLog(log), sequence, ageMs },
    arrivals: arrivals.map(({ name, role, id, region, scope, elapsedMs }) => {
      return { name, role, id, region, scope, ...optional('elapsedMs', elapsedMs) };
    }),
  };
}

function decodeFollower({ name, role, id, scope, state, ...rest }: WireFollower): FollowerStatus {
  return {
    name,
    role,
    id,
    scope,
    state,
    ...optional('behindCommits', rest.behindCommits),
    ...optional('unacknowledged', rest.unacknowledged),
    ...(rest.region ? { region: rest.region } : {}),
    ...decodeLocation(rest),
    ...optional('boundMs', rest.boundMs),
    ...optional('roundTripMs', rest.roundTripMs),
    ...optional('hitRate', rest.hitRate),
  };
}

function decodePeer({ name, id, address, state, ...rest }: PeerStatus): PeerStatus {
  return {
    name,
    id,
    address,
    state,
    ...optional('boundMs', rest.boundMs),
    ...optional('unacknowledged', rest.unacknowledged),
    ...optional('refused', rest.refused),
  };
}

function decodeScope(wire: WireScope): ScopeStatus {
  return {
    kind: wire.kind,
    filter: wire.filter,
    state: wire.state,
    covered: decodeVector(wire.covered),
    floor: decodeVector(wire.floor),
    stable: decodeVector(wire.stable),
    ...optional('upstream', wire.upstream),
    ...optional('boundMs', wire.boundMs),
    ...optional('rootLog', wire.rootLog ? decodeLog(wire.rootLog) : undefined),
    ...optional('records', wire.records),
    ...optional('bytes', wire.bytes),
  };
}

export type WireDigest = Omit<ScopeDigest, 'vector' | 'digest'> & {
  readonly vector: WireVector | null;
  readonly digest: string;
};

export function encodeDigest({ vector, digest = '', ...rest }: ScopeDigest): WireDigest {
  return { ...rest, digest, vector: encodeVector(vector) };
}

export function decodeDigest({ scope, title, prefixes, second, records, digest, ...rest }: WireDigest): ScopeDigest {
  const namespace = decodeNamespaceId(rest.namespace);
  const { damaged = 0 } = rest;
  return {
    ...{ scope, namespace, title, prefixes, vector: decodeVector(rest.vector), second, records },
    ...(digest === '' ? {} : { digest }),
    ...(damaged === 0 ? {} : { damaged }),
  };
}

export function encodeMember({ connected, logs = [], ...node }: Member): WireMember {
  return { node: encodeIdentity(node), connected, logs };
}

export function decodeMember({ node, connected, logs }: WireMember): Member {
  const written = logs.map(({ log, openedMs, final }): MemberLog => {
    return { log: decodeLog(log), openedMs, ...optional('final', final) };
  });
  return { ...decodeIdentity(node), connected, ...(written.length === 0 ? {} : { logs: written }) };
}

export interface WireRemovedMember {
  readonly id: string;
  readonly name: string;
  readonly logs: ReadonlyArray<{ readonly log: string; readonly final: number }>;
  readonly missing: readonly string[];
}

export function decodeRemovedMember({ id, name, logs, missing }: WireRemovedMember): RemovedMember {
  const sealed = logs.map(({ log, final }) => ({ log: decodeLog(log), final }));
  return { id: decodeMemberId(id), name, logs: sealed, missing };
}

export interface WireReportRequest {
  readonly member: string;
  readonly initiator: string;
  readonly reporter: string;
  readonly withdraws?: boolean;
  /** Empty = not known. */
  readonly opened?: string;
  /** 0 = not known. */
  readonly attempt?: number;
}

export function decodeReportRequest(wire: WireReportRequest): ReportRequest {
  return {
    member: decodeMemberId(wire.member),
    initiator: decodeMemberId(wire.initiator),
    reporter: decodeMemberId(wire.reporter),
    ...(wire.withdraws === true ? { withdraws: true } : {}),
    ...(wire.opened === undefined || wire.opened === '' ? {} : { opened: decodeStamp(wire.opened) }),
    ...(wire.attempt === undefined || wire.attempt === 0 ? {} : { attempt: wire.attempt }),
  };
}

export interface WireReport {
  readonly covered: WireVector | null;
  readonly registered: readonly string[];
}

export function encodeReport({ covered, registered }: Report): WireReport {
  return { covered: encodeVector(covered), registered };
}

export function decodeReport({ covered, registered }: WireReport): Report {
  return { covered: decodeVector(covered), registered: registered.map(decodeMemberId) };
}
