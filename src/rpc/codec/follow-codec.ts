import type {
  ClusterView,
  FollowerMessage,
  FollowerReport,
  FollowOpen,
  FollowStart,
  Opening,
  ValueMode,
} from '../../model/feed.ts';
import type { Filter, KeyRange } from '../../model/filter.ts';
import { decodeIdentity, encodeIdentity, type WireIdentity } from './cluster-codec.ts';
import { checkOpenBounds } from './open-bounds.ts';
import {
  decodeLog,
  decodeMemberId,
  decodeNamespaceId,
  decodeStamp,
  decodeVector,
  encodeVector,
  malformed,
  optional,
  type WireVector,
} from './record-codec.ts';

export interface WireOpening {
  readonly log: string;
  readonly opened: string;
}

interface WireView {
  readonly members: readonly string[];
  readonly removals: ReadonlyArray<{
    readonly member: string;
    readonly enough: boolean;
    readonly reports: number;
    readonly stamp: string;
  }>;
}

interface WireOpen {
  readonly protocol: number;
  readonly node: WireIdentity | null;
  readonly nonce: string;
  readonly clusterId: string;
  readonly role: string;
  readonly filter: { readonly includes: readonly KeyRange[]; readonly excludes: readonly KeyRange[] } | null;
  readonly values: { readonly kind: string; readonly bytesMax: number } | null;
  readonly start?: string;
  readonly nothing?: boolean;
  readonly now?: boolean;
  readonly partial?: string;
  readonly cursor?: WireVector | null;
  readonly resync?: boolean;
  readonly token: string;
  readonly hops?: number;
  readonly opening?: WireOpening | null;
  readonly floor?: WireVector | null;
  readonly view?: WireView | null;
  readonly takesLost?: boolean;
  /** 0 = only `protocol`. */
  readonly protocolOldest?: number;
}

interface WireProbe {
  readonly id: number;
  readonly durable: WireVector | null;
  readonly wallMs: number;
  readonly echoed?: number | null;
  readonly roundTripMs?: number | null;
  readonly hitRate?: number | null;
  readonly tracked?: readonly number[];
}

export interface WireFollowRequest {
  readonly open?: WireOpen | null;
  readonly probe?: WireProbe | null;
}

export function encodeOpen(open: FollowOpen): WireFollowRequest {
  const { protocol, node, nonce, clusterId = '', role, filter, values, start, hops = 0, opening, floor, view } = open;
  const token = start.kind === 'cursor' ? (start.token ?? '') : '';
  const bytesMax = values.kind === 'inline' ? values.bytesMax : 0;
  const takesLost = open.takesLost === true;
  const versions = { protocol, protocolOldest: open.protocolOldest ?? protocol };
  const head = { ...versions, node: encodeIdentity(node), nonce, clusterId, role, filter, token, hops, takesLost };
  const ofPeer = {
    ...(opening === undefined ? {} : { opening }),
    ...(floor === undefined ? {} : { floor: encodeVector(floor) }),
    ...(view === undefined ? {} : { view }),
  };
  return { open: { ...head, values: { kind: values.kind, bytesMax }, ...encodeStart(start), ...ofPeer } };
}

export function decodeOpening(wire: WireOpening | null | undefined): { readonly opening?: Opening } {
  if (wire === null || wire === undefined) return {};
  return { opening: { log: decodeLog(wire.log), opened: decodeStamp(wire.opened) } };
}

function encodeStart(start: FollowStart): Pick<WireOpen, 'nothing' | 'now' | 'partial' | 'cursor' | 'resync'> {
  switch (start.kind) {
    case 'nothing':
      return { nothing: true };
    case 'now':
      return { now: true };
    case 'partial':
      return { partial: start.token };
    case 'cursor':
      return { cursor: encodeVector(start.cursor) };
    case 'resync':
      return { resync: true };
  }
}

const roles = new Map<string, FollowOpen['role']>([
  ['copy', 'copy'],
  ['cache', 'cache'],
  ['watch', 'watch'],
  ['peer', 'peer'],
]);

export function decodeOpen(wire: WireOpen): FollowOpen {
  const role = roles.get(wire.role);
  if (role === undefined) throw malformed("a follower's role", wire.role);
  checkOpenBounds(wire);
  return {
    protocol: wire.protocol,
    ...(wire.protocolOldest ? { protocolOldest: wire.protocolOldest } : {}),
    node: decodeIdentity(wire.node),
    nonce: wire.nonce,
    ...(wire.clusterId === '' ? {} : { clusterId: wire.clusterId }),
    role,
    filter: decodeFilter(wire.filter),
    values: decodeValues(wire.values),
    start: decodeStart(wire),
    ...(wire.hops ? { hops: wire.hops } : {}),
    ...decodeOpening(wire.opening),
    ...(wire.floor ? { floor: decodeVector(wire.floor) } : {}),
    ...(wire.view ? { view: decodeView(wire.view) } : {}),
    ...(wire.takesLost ? { takesLost: true } : {}),
  };
}

function decodeView({ members, removals }: WireView): ClusterView {
  return {
    members: members.map(decodeMemberId),
    removals: removals.map(({ member, enough, reports, stamp }) => {
      return { member: decodeMemberId(member), enough, reports, stamp: decodeStamp(stamp) };
    }),
  };
}

function decodeFilter(wire: WireOpen['filter']): Filter {
  const ranges = (list: readonly KeyRange[] = []): KeyRange[] =>
    list.map(({ namespace, prefix }) => ({
      namespace: namespace === '*' ? namespace : decodeNamespaceId(namespace),
      prefix,
    }));
  return { includes: ranges(wire?.includes), excludes: ranges(wire?.excludes) };
}

function decodeValues(wire: WireOpen['values']): ValueMode {
  if (wire?.kind === 'all' || wire?.kind === 'none') return { kind: wire.kind };
  if (wire?.kind === 'inline') return { kind: 'inline', bytesMax: wire.bytesMax };
  throw malformed('how values travel', wire?.kind);
}

function decodeStart(wire: WireOpen): FollowStart {
  switch (wire.start) {
    case 'nothing':
      return { kind: 'nothing' };
    case 'now':
      return { kind: 'now' };
    case 'partial':
      return { kind: 'partial', token: wire.partial ?? '' };
    case 'cursor': {
      const cursor = decodeVector(wire.cursor);
      return { kind: 'cursor', cursor, ...(wire.token === '' ? {} : { token: wire.token }) };
    }
    case 'resync':
      return { kind: 'resync' };
    default:
      throw malformed('where to start', wire.start);
  }
}

export function encodeProbe({ kind: _kind, durable, ...rest }: FollowerMessage): WireFollowRequest {
  return { probe: { ...rest, durable: encodeVector(durable) } };
}

export function decodeProbe(wire: NonNullable<WireFollowRequest['probe']>): FollowerMessage {
  return { kind: 'probe', id: wire.id, durable: decodeVector(wire.durable), wallMs: wire.wallMs, ...reportIn(wire) };
}

/** A number that makes no sense counts as not reported. */
function reportIn({ echoed, roundTripMs, hitRate, tracked = [] }: WireProbe): FollowerReport {
  const isShare = typeof hitRate === 'number' && hitRate >= 0 && hitRate <= 1;
  const isTime = typeof roundTripMs === 'number' && roundTripMs >= 0 && Number.isFinite(roundTripMs);
  return {
    ...optional('echoed', echoed),
    ...(isTime ? { roundTripMs } : {}),
    ...(isShare ? { hitRate } : {}),
    ...(tracked.length === 0 ? {} : { tracked }),
  };
}
