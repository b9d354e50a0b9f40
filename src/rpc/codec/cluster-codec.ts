import type {
  FollowerStatus,
  Member,
  NodeIdentity,
  NodeStatus,
  PartDigest,
  PartStatus,
  PeerStatus,
  Report,
  Role,
} from '../../model/cluster.ts';
import type { NamespaceInfo } from '../../model/namespace.ts';
import type { NamespaceChange } from '../../model/namespaces.ts';
import {
  decodeNamespaceId,
  decodeOrigin,
  decodeSession,
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

type WirePart = Omit<PartStatus, 'covered' | 'floor' | 'settled' | 'root'> & {
  readonly covered: WireVector | null;
  readonly floor: WireVector | null;
  readonly settled: WireVector | null;
  readonly rootOrigin?: string | null;
};

export type WireStatus = Omit<NodeStatus, 'node' | 'parts'> & {
  readonly node: WireIdentity | null;
  readonly parts: readonly WirePart[];
};

export interface WireMember {
  readonly node: WireIdentity | null;
  readonly connected: boolean;
}

export function encodeIdentity({ location, ...rest }: NodeIdentity): WireIdentity {
  return { ...rest, ...(location === undefined ? {} : { location: { north: location[0], east: location[1] } }) };
}

export function decodeIdentity(wire: WireIdentity | null): NodeIdentity {
  if (wire === null || (wire.role !== 'origin' && wire.role !== 'edge')) throw malformed("a node's role", wire?.role);
  const { name, id, region, location } = wire;
  const role: Role = wire.role;
  const at = location === null || location === undefined ? {} : { location: [location.north, location.east] as const };
  return { name, role, id, region, ...at, ...optional('address', wire.address) };
}

export function decodeNamespace(wire: WireNamespace | null): NamespaceInfo {
  if (wire === null) throw malformed('a namespace', 'none');
  return { id: decodeNamespaceId(wire.id), title: wire.title, home: wire.home };
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

export function encodeStatus({ node, parts, ...rest }: NodeStatus): WireStatus {
  return {
    ...rest,
    node: encodeIdentity(node),
    parts: parts.map(({ covered, floor, settled, root, ...part }) => ({
      ...part,
      covered: encodeVector(covered),
      floor: encodeVector(floor),
      settled: encodeVector(settled),
      ...optional('rootOrigin', root),
    })),
  };
}

export function decodeStatus(wire: WireStatus): NodeStatus {
  const { clusterId, version, ready, notes, uptimeMs, readOnly } = wire;
  return {
    node: decodeIdentity(wire.node),
    clusterId,
    version,
    ready,
    notes,
    uptimeMs,
    readOnly,
    ...optional('hitRate', wire.hitRate),
    parts: wire.parts.map(decodePart),
    ...(wire.peers === undefined || wire.peers.length === 0 ? {} : { peers: wire.peers.map(decodePeer) }),
    followers: wire.followers.map(({ behindCommits, unacknowledged, name, role, id, part, state }: FollowerStatus) => ({
      name,
      role,
      id,
      part,
      state,
      ...optional('behindCommits', behindCommits),
      ...optional('unacknowledged', unacknowledged),
    })),
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

function decodePart(wire: WirePart): PartStatus {
  return {
    part: wire.part,
    includes: wire.includes,
    state: wire.state,
    covered: decodeVector(wire.covered),
    floor: decodeVector(wire.floor),
    settled: decodeVector(wire.settled),
    ...optional('upstream', wire.upstream),
    ...optional('boundMs', wire.boundMs),
    ...optional('root', wire.rootOrigin ? decodeOrigin(wire.rootOrigin) : undefined),
    ...optional('records', wire.records),
    ...optional('bytes', wire.bytes),
  };
}

export type WireDigest = Omit<PartDigest, 'vector'> & { readonly vector: WireVector | null };

export function encodeDigest({ vector, ...rest }: PartDigest): WireDigest {
  return { ...rest, vector: encodeVector(vector) };
}

export function decodeDigest({ part, title, prefixes, second, records, digest, ...rest }: WireDigest): PartDigest {
  const namespace = decodeNamespaceId(rest.namespace);
  return { part, namespace, title, prefixes, vector: decodeVector(rest.vector), second, records, digest };
}

export function encodeMember({ connected, ...node }: Member): WireMember {
  return { node: encodeIdentity(node), connected };
}

export function decodeMember({ node, connected }: WireMember): Member {
  return { ...decodeIdentity(node), connected };
}

export type WireReport = Omit<Report, 'covered' | 'registered'> & {
  readonly covered: WireVector | null;
  readonly registered: readonly string[];
};

export function encodeReport({ covered, ...report }: Report): WireReport {
  return { ...report, covered: encodeVector(covered) };
}

export function decodeReport({ covered, registered, ...log }: WireReport): Report {
  return { ...log, covered: decodeVector(covered), registered: registered.map(decodeOrigin) };
}
