import type { CaughtUp, Changes, ChangeTrack, FeedEvent, Lost, Opened, ScanRange, Step } from '../../model/feed.ts';
import { decodeIdentity, encodeIdentity, type WireIdentity } from './cluster-codec.ts';
import { decodeOpening, type WireOpening } from './follow-codec.ts';
import {
  decodeBound,
  decodeNamespaceId,
  decodePosition,
  decodeVector,
  encodeBound,
  encodeVector,
  malformed,
  optional,
  type WireBound,
  type WirePosition,
  type WireVector,
} from './record-codec.ts';

interface WireStep {
  readonly vector: WireVector | null;
  readonly stable: WireVector | null;
  readonly behind?: boolean;
}

export interface WireChanges {
  /** Never decoded by the loader: see change-bytes.ts. */
  readonly records: readonly never[];
  readonly step?: WireStep | null;
  readonly token?: string | null;
  readonly range?: { readonly after?: WireKey | null; readonly through?: WireKey | null } | null;
  readonly committedAtMs?: number | null;
  readonly unfinished: boolean;
  readonly lost?: readonly WireLost[];
  readonly lostUpTo?: WireVector | null;
  readonly tracks?: ReadonlyArray<{ readonly id: number; readonly position: WirePosition | null }>;
}

interface WireLost extends WireKey {
  readonly position: WirePosition | null;
}

interface WireRootClock {
  readonly rootWallMs?: number | null;
  readonly rootAgeMs?: number;
}

interface WireKey {
  readonly namespace: string;
  readonly key: string;
}

export interface WireFollowResponse {
  readonly event?: string;
  readonly opened?:
    | (Omit<Opened, 'kind' | 'node' | 'opening' | 'protocol'> & {
        /** 0 = from an earlier version. */
        readonly protocol?: number;
        readonly node: WireIdentity | null;
        readonly opening?: WireOpening | null;
      })
    | null;
  readonly resync?: { readonly reason: string } | null;
  readonly changes?: WireChanges | null;
  readonly caughtUp?: { readonly step: WireStep | null; readonly floor: WireVector | null } | null;
  readonly echo?:
    | ({
        readonly id: number;
        readonly bound?: WireBound | null | undefined;
        readonly wallMs: number;
      } & WireRootClock)
    | null;
  readonly more?: Uint8Array;
}

const resyncReasons = ['below-floor', 'beyond-seal', 'void-log', 'void-progress', 'asked'] as const;

function encodeStep({ vector, stable, behind }: Step): WireStep {
  return { vector: encodeVector(vector), stable: encodeVector(stable), behind: behind === true };
}

function decodeStep({ vector, stable, behind }: WireStep): Step {
  return {
    vector: decodeVector(vector),
    stable: decodeVector(stable),
    ...(behind === true ? { behind } : {}),
  };
}

/** The fields that close a changes event. */
export function encodeClosing(event: Changes): Omit<WireChanges, 'records' | 'unfinished'> {
  const { step, token, range, committedAtMs, lost, tracks } = event;
  return {
    ...(lost === undefined ? {} : { lost: lost.records, lostUpTo: encodeVector(lost.upTo) }),
    ...(step === undefined ? {} : { step: encodeStep(step) }),
    ...optional('token', token),
    ...optional('range', range),
    ...optional('committedAtMs', committedAtMs),
    ...optional('tracks', tracks),
  };
}

export function decodeClosing(wire: WireChanges): Omit<Changes, 'kind' | 'records'> {
  const { step, token, range, committedAtMs, lost = [], lostUpTo, tracks = [] } = wire;
  return {
    ...(lost.length === 0 ? {} : { lost: { records: lost.map(decodeLost), upTo: decodeVector(lostUpTo) } }),
    ...(step === null || step === undefined ? {} : { step: decodeStep(step) }),
    ...optional('token', token),
    ...(range === null || range === undefined ? {} : { range: decodeRange(range) }),
    ...optional('committedAtMs', committedAtMs),
    ...(tracks.length === 0 ? {} : { tracks: tracks.map(decodeTrack) }),
  };
}

function decodeTrack({ id, position }: NonNullable<WireChanges['tracks']>[number]): ChangeTrack {
  return { id, position: decodePosition(position) };
}

function decodeLost({ namespace, key, position }: WireLost): Lost {
  return { namespace: decodeNamespaceId(namespace), key, position: decodePosition(position) };
}

function decodeRange({ after, through }: NonNullable<WireChanges['range']>): ScanRange {
  const key = (wire: WireKey) => ({ namespace: decodeNamespaceId(wire.namespace), key: wire.key });
  return { ...(after ? { after: key(after) } : {}), ...(through ? { through: key(through) } : {}) };
}

function decodeRootClock({ rootWallMs, rootAgeMs = 0 }: WireRootClock): Pick<Opened, 'rootWallMs' | 'rootAgeMs'> {
  return { ...optional('rootWallMs', rootWallMs), ...(rootAgeMs > 0 ? { rootAgeMs } : {}) };
}

/** Every event but changes, which `feed-messages.ts` encodes. */
export function encodeSmallEvent(event: Exclude<FeedEvent, Changes>): WireFollowResponse {
  switch (event.kind) {
    case 'opened': {
      const { kind: _kind, node, ...rest } = event;
      return { opened: { ...rest, node: encodeIdentity(node) } };
    }
    case 'resync':
      return { resync: { reason: event.reason } };
    case 'caught-up':
      return { caughtUp: { step: encodeStep(event), floor: encodeVector(event.floor) } };
    case 'echo':
      return {
        echo: {
          id: event.id,
          bound: encodeBound(event.bound),
          wallMs: event.wallMs,
          ...optional('rootWallMs', event.rootWallMs),
          ...optional('rootAgeMs', event.rootAgeMs),
        },
      };
  }
}

export function decodeSmallEvent(wire: WireFollowResponse): Exclude<FeedEvent, Changes> {
  if (wire.opened) {
    const { protocol = 0, node, nonce, clusterId, generation, wallMs, opening } = wire.opened;
    const chosen = protocol === 0 ? {} : { protocol };
    const said = { ...chosen, node: decodeIdentity(node), nonce, clusterId, generation, wallMs };
    return { kind: 'opened', ...said, ...decodeRootClock(wire.opened), ...decodeOpening(opening) };
  }
  if (wire.resync) {
    const reason = resyncReasons.find((each) => each === wire.resync?.reason) ?? 'void-progress';
    return { kind: 'resync', reason };
  }
  if (wire.caughtUp?.step) {
    const { step, floor } = wire.caughtUp;
    return { kind: 'caught-up', ...decodeStep(step), floor: decodeVector(floor) } satisfies CaughtUp;
  }
  if (wire.echo) {
    const { id, wallMs, bound } = wire.echo;
    return { kind: 'echo', id, wallMs, ...decodeRootClock(wire.echo), ...decodeBound(bound) };
  }
  throw malformed('an event of the feed', wire.event);
}
