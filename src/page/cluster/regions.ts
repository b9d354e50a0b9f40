import type { ViewJson } from '../../http/page/page-json.ts';
import type { FollowerStatus } from '../../model/cluster.ts';
import type { LogId } from '../../model/position.ts';
import { worstBound } from '../../model/staleness.ts';
import type { StatusJson } from '../../model/status-json.ts';
import { given } from '../given.ts';

/** One node as this page knows it. What is unset is unknown. */
export interface Region {
  readonly id: string;
  readonly name: string;
  readonly role: 'origin' | 'edge';
  readonly region: string;
  readonly location?: readonly [number, number];
  /** The node that serves this page. */
  readonly isHere: boolean;
  /** What every origin wrote longer ago than this is there. */
  readonly boundMs?: number;
  readonly roundTripMs?: number;
  readonly hitRate?: number;
  /** Of the feeds that fill it: the one that is least well. */
  readonly feed?: string;
  readonly isReady?: boolean;
  /** Nobody is connected to it, and it says nothing itself. */
  readonly isGone?: true;
  /** Milliseconds since it was last told of, where it is not any more. */
  readonly goneMs?: number;
}

/** Feed states from the worst to the best. */
const feedStates = ['starting', 'connecting', 'resyncing', 'waiting', 'scanning', 'live'];

/**
 * All nodes that are told of, each from whoever knows it best: it itself, whoever it follows, or the list of members.
 * Round trips are told by the follower to whom it follows.
 */
export function regionsOf(view: ViewJson): readonly Region[] {
  const { node, around, members } = view;
  const statuses = [node, ...around];
  const ages = originAges(view);
  const regions = new Map<string, Region>();
  for (const { id, name, role, region, location, connected } of members) {
    const gone = connected ? {} : ({ isGone: true } as const);
    regions.set(id, { id, name, role, region, isHere: false, ...gone, ...given({ location }) });
  }
  for (const [id, scopes] of followersOf(statuses, ages)) {
    const { location } = regions.get(id) ?? {};
    regions.set(id, { ...given({ location }), ...ofFollower(id, scopes) });
  }
  for (const status of statuses) {
    const { roundTripMs } = regions.get(status.id) ?? {};
    regions.set(status.id, { ...ofStatus(status, ages), isHere: status.id === node.id, ...given({ roundTripMs }) });
  }
  return [...regions.values()].sort((a, b) => order(a) - order(b) || (a.name < b.name ? -1 : 1));
}

function order({ role }: Region): number {
  return role === 'origin' ? 0 : 1;
}

/** How old what all other origins wrote may be at the origin that writes in a log; undefined = unknown. */
type OriginAges = (root: LogId | undefined) => number | undefined;

/**
 * The bound of an edge is proven against one origin. What other origins wrote came there first, and was as old by then as
 * that origin says of its peers: the two add up.
 */
function originAges({ node, around, members, membersUnknown }: ViewJson): OriginAges {
  const ages = new Map<LogId, number | undefined>();
  for (const { log, peers = [] } of [node, ...around]) {
    if (log !== undefined) ages.set(log, peers.length === 0 ? 0 : worstBound(peers.map(({ boundMs }) => boundMs)));
  }
  const isOnly = membersUnknown === undefined && members.filter(({ role }) => role === 'origin').length === 1;
  return (root) => {
    if (root === undefined || ages.has(root)) return root && ages.get(root);
    return isOnly ? 0 : undefined;
  };
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

/** By node, of each what its scopes say; clients that watch are no nodes. */
function followersOf(
  statuses: readonly StatusJson[],
  ages: OriginAges,
): ReadonlyMap<string, readonly FollowerStatus[]> {
  const followers = new Map<string, FollowerStatus[]>();
  for (const { role, log, scopes, followers: told } of statuses) {
    const root = role === 'origin' ? log : scopes.find(({ kind }) => kind === 'copy')?.rootLog;
    for (const { boundMs, ...follower } of told) {
      if (follower.scope === 'watch') continue;
      // A peer is told of one origin's writes here, and of the others' elsewhere.
      const total = follower.role === 'origin' ? undefined : sum(boundMs, ages(root));
      const one = { ...follower, ...given({ boundMs: total }) };
      followers.set(follower.id, [...(followers.get(follower.id) ?? []), one]);
    }
  }
  return followers;
}

function ofFollower(id: string, scopes: readonly FollowerStatus[]): Region {
  const [first] = scopes;
  const feed = worstFeed(scopes.map(({ state }) => state));
  const boundMs = worstBound(scopes.map((scope) => scope.boundMs));
  const roundTripMs = worstBound(scopes.map((scope) => scope.roundTripMs));
  const { name = id, role = 'edge', region = '', location, hitRate } = first ?? {};
  return { id, name, role, region, isHere: false, ...given({ location, boundMs, roundTripMs, hitRate, feed }) };
}

/** An origin's own writes are here at once; what other origins wrote is as old as its feeds from them. */
function ofStatus(
  { id, name, role, region, location, scopes, peers = [], hitRate, ready }: StatusJson,
  ages: OriginAges,
): Region {
  const feed = worstFeed([...scopes, ...peers].map(({ state }) => state));
  const boundMs =
    role === 'origin'
      ? worstBound([...scopes, ...peers].map((scope) => scope.boundMs))
      : worstBound(scopes.map((scope) => sum(scope.boundMs, ages(scope.rootLog))));
  return {
    ...{ id, name, role, region, isHere: false, isReady: ready },
    ...given({ location, boundMs, hitRate, feed }),
  };
}

function worstFeed(states: readonly string[]): string | undefined {
  return [...states].sort((a, b) => feedStates.indexOf(a) - feedStates.indexOf(b))[0];
}

/** Nodes that were told of, and when last. */
export type Remembered = ReadonlyMap<string, { readonly region: Region; readonly heardMs: number }>;

/** A node that is not told of any more is shown as gone, and not left out: it is what an operator looks for. */
export function remember(told: readonly Region[], before: Remembered, nowMs: number): Remembered {
  const all = new Map(before);
  for (const region of told) if (!region.isGone) all.set(region.id, { region, heardMs: nowMs });
  return all;
}

export function withGone(remembered: Remembered, nowMs: number, told: readonly Region[]): readonly Region[] {
  const ids = new Set(told.map(({ id }) => id));
  const gone = [...remembered.values()].filter(({ region }) => !ids.has(region.id));
  return [
    ...told.map((region) => (region.isGone ? { ...region, ...goneSince(remembered.get(region.id), nowMs) } : region)),
    ...gone.map(({ region: { id, name, role, region, location }, heardMs }): Region => {
      return { id, name, role, region, isHere: false, goneMs: nowMs - heardMs, ...given({ location }) };
    }),
  ];
}

/** Unset where nobody has told of it for as long as this page is open. */
function goneSince(heard: { readonly heardMs: number } | undefined, nowMs: number): Pick<Region, 'goneMs'> {
  return heard === undefined ? {} : { goneMs: nowMs - heard.heardMs };
}

/** Nodes that are shown at once. */
const shownMax = 200;

/** All of them, or of very many as many as are shown: those that are not well before the others. */
export function shownOf(regions: readonly Region[]): readonly Region[] {
  if (regions.length <= shownMax) return regions;
  const isWell = (region: Region) => Number(stateOf(region) === 'well');
  return [...regions].sort((a, b) => isWell(a) - isWell(b)).slice(0, shownMax);
}

/** One word for how a node is, from what is known of it. */
export function stateOf({ isGone, goneMs, isReady, feed }: Region): 'well' | 'late' | 'gone' | 'unknown' {
  if (isGone || goneMs !== undefined) return 'gone';
  if (isReady === false) return 'late';
  if (feed === undefined) return 'unknown';
  return feed === 'live' ? 'well' : 'late';
}
