import type { NodeStatus, ScopeStatus } from '../../model/cluster.ts';
import { shownText } from '../shown-text.ts';
import type { NodeView } from '../status/cluster-view.ts';
import { ageOf } from '../status/describe-node.ts';
import { table } from '../table.ts';

/** The nodes of a cluster as they answered at one time. */
export interface Look {
  readonly views: readonly NodeView[];
  /** By the monotonic clock, in milliseconds. */
  readonly atMs: number;
}

/** Of what cannot be said: never a zero. */
const unknown = 'unknown';

const nodeHeadings = [
  ...[
    'node',
    'role',
    'region',
    'state',
    'scope',
    'feed',
    'proven age',
    'changes/s',
    'reads/s',
    'writes/s',
    'hit rate',
    'followers',
    'behind',
  ],
];
const keyHeadings = ['hot key', 'namespace', 'node', 'reads/min', 'off by at most'];

/** What changed between two looks stands as a rate; before the second one rates are unknown. */
export function topTables(now: Look, before: Look | undefined, hotKeysMax: number): string {
  const rows = now.views.flatMap((view) => nodeRows(view, now, before));
  const keys = keyRows(now.views).slice(0, hotKeysMax);
  const hot = keys.length === 0 ? '' : `\n${table(keyHeadings, keys)}`;
  return `${headline(now)}\n${table(nodeHeadings, rows)}${hot}`;
}

function headline({ views }: Look): string {
  const known = views.filter(({ status }) => status !== undefined);
  const cluster = known[0]?.status?.clusterId ?? unknown;
  const away = views.length - known.length;
  const notReady = known.filter(({ status }) => status?.ready === false).length;
  return [
    `cluster ${shownText(cluster)}: ${views.length} nodes`,
    ...(away > 0 ? [`${away} not reached`] : []),
    ...(notReady > 0 ? [`${notReady} not ready`] : []),
  ].join(', ');
}

function nodeRows({ member, status, error }: NodeView, now: Look, before: Look | undefined): string[][] {
  const who = [member.name, member.role, member.region];
  if (status === undefined)
    return [[...who, `${unknown}: ${error ?? 'no answer'}`, ...nodeHeadings.slice(4).map(() => '')]];
  const earlier = before?.views.find((view) => view.status?.node.id === status.node.id)?.status;
  const elapsedMs = before === undefined ? 0 : now.atMs - before.atMs;
  const state = status.ready ? (status.readOnly ? 'read-only' : 'ready') : 'NOT READY';
  const calls = (['reads', 'writes'] as const).map((kind) => callsPerSecond(kind, status, earlier, elapsedMs));
  const hitRate = status.hitRate === undefined ? unknown : `${(status.hitRate * 100).toFixed(1)} %`;
  return status.scopes.map((scope) => [
    ...who,
    ...[state, scope.kind, scope.state, ageOf(scope.boundMs), changesPerSecond(scope, status, earlier, elapsedMs)],
    ...calls,
    ...[hitRate, String(status.followers.length), behindOf(status)],
  ]);
}

/** By how much what it covers has grown: of logs that both looks know, as those of the past are folded into others. */
function changesPerSecond(
  { kind, covered }: ScopeStatus,
  { uptimeMs }: NodeStatus,
  earlier: NodeStatus | undefined,
  elapsedMs: number,
): string {
  const scope = earlier?.scopes.find((one) => one.kind === kind);
  // One that was started again meanwhile is measured from its next look on.
  if (scope === undefined || uptimeMs < (earlier?.uptimeMs ?? 0)) return unknown;
  let changes = 0;
  for (const [log, sequence] of covered) changes += Math.max(0, sequence - (scope.covered.get(log) ?? sequence));
  return perSecond(changes, elapsedMs);
}

/** By how much its count has grown; not of a node that was started again, nor of an edge of which a worker was. */
function callsPerSecond(
  kind: 'reads' | 'writes',
  status: NodeStatus,
  earlier: NodeStatus | undefined,
  elapsedMs: number,
): string {
  const [now, before] = [status[kind], earlier?.[kind]];
  if (now === undefined || before === undefined || now < before || hasRestarted(status, earlier)) return unknown;
  return perSecond(now - before, elapsedMs);
}

function hasRestarted(status: NodeStatus, earlier: NodeStatus | undefined): boolean {
  return status.uptimeMs < (earlier?.uptimeMs ?? 0) || startsOf(status) !== startsOf(earlier);
}

/** Another text as soon as a worker of an edge runs as another process. */
function startsOf(status: NodeStatus | undefined): string {
  return (status?.processes ?? []).map(({ name, pid }) => `${name} ${pid}`).join();
}

function perSecond(count: number, elapsedMs: number): string {
  return elapsedMs <= 0 ? unknown : ((count * 1000) / elapsedMs).toFixed(1);
}

/** Of the follower that is furthest behind; one that scans is behind by nobody knows how much. */
function behindOf({ followers }: NodeStatus): string {
  if (followers.length === 0) return '';
  const behind = followers.map(({ behindCommits }) => behindCommits);
  return behind.includes(undefined) ? unknown : String(Math.max(...behind.filter((commits) => commits !== undefined)));
}

/** The hottest first. */
function keyRows(views: readonly NodeView[]): string[][] {
  return views
    .flatMap(({ member, status }) => (status?.hotKeys ?? []).map((hot) => ({ ...hot, node: member.name })))
    .sort((a, b) => b.reads - a.reads)
    .map(({ key, title, namespace, node, reads, error }) => {
      const where = title === '' ? namespace : title;
      return [key, where, node, Math.round(reads).toString(), Math.round(error).toString()];
    });
}
