import type { NodeStatus, ScopeStatus, UnsealedLog } from '../../model/cluster.ts';
import { formatVector, type VersionVector } from '../../model/version-vector.ts';
import { shownText } from '../shown-text.ts';
import { table } from '../table.ts';

/** What one node says of itself, for people. */
export function describeNode(status: NodeStatus): string {
  const { node, clusterId, version, ready, readOnly, notes, uptimeMs, hitRate, scopes, followers } = status;
  const { log, unsealed = [], peers = [], processes = [], clock } = status;
  const facts = [
    `${node.role} ${node.name} (${node.id}) in ${node.region}${placeOf(node.location)}, Meridian ${version}, cluster ${clusterId}`,
    `${ready ? 'ready' : 'NOT READY'}${readOnly ? ', takes no writes' : ''}, up ${Math.round(uptimeMs / 1000)} s`,
    ...(hitRate === undefined ? [] : [`${percentOf(hitRate)} of reads served without a load`]),
    ...(clock?.offsetMs === undefined ? [] : [describeOffset(clock.offsetMs)]),
    ...(log === undefined ? [] : [`writes in log ${log}`]),
    ...unsealed.map(describeUnsealed),
    ...notes.map((note) => `note: ${note}`),
  ];
  const sections = [`${facts.map(shownText).join('\n')}\n`, table(scopeHeadings, scopes.map(scopeRow))];
  if (peers.length > 0) {
    const rows = peers.map(({ name, id, address, state, boundMs, unacknowledged }) => {
      return [name, id, address, state, ageOf(boundMs), unacknowledged?.toString() ?? 'unknown'];
    });
    sections.push(table(['peer', 'id', 'address', 'state', 'proven age', 'unacknowledged'], rows));
  }
  if (processes.length > 0) {
    const rows = processes.map(({ name, state, ready, pid, restarts, boundMs, hitRate }) => {
      const rate = hitRate === undefined ? '' : percentOf(hitRate);
      return [name, state, ready ? 'yes' : 'no', pid?.toString() ?? '', String(restarts), ageOf(boundMs), rate];
    });
    sections.push(table(['process', 'state', 'ready', 'pid', 'restarts', 'proven age', 'hit rate'], rows));
  }
  if (followers.length > 0) {
    const rows = followers.map((f) => [f.name, f.role, f.id, f.scope, f.state, f.behindCommits?.toString() ?? '']);
    sections.push(table(['follower', 'role', 'id', 'scope', 'state', 'behind'], rows));
  }
  return sections.join('\n');
}

function percentOf(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function describeOffset(offsetMs: number): string {
  return `clock ${Math.abs(Math.round(offsetMs))} ms ${offsetMs < 0 ? 'behind' : 'ahead of'} its origin's, by which values expire`;
}

function describeUnsealed({ log, waitsFor }: UnsealedLog): string {
  return `log ${log} of its past is not sealed yet${waitsFor.length === 0 ? '' : `: waits for ${waitsFor.join(', ')}`}`;
}

function placeOf(location: readonly [number, number] | undefined): string {
  return location === undefined ? '' : ` at ${location.join(',')}`;
}

export function ageOf(boundMs: number | undefined): string {
  return boundMs === undefined ? 'unknown' : `${Math.round(boundMs)} ms`;
}

const floorLogsShownMax = 3;
const scopeHeadings = ['scope', 'holds', 'state', 'upstream', 'proven age', 'records', 'bytes', 'covered', 'floor'];

function scopeRow(scope: ScopeStatus): string[] {
  return [
    scope.kind,
    scope.filter.join(' '),
    scope.state,
    scope.upstream ?? '',
    ageOf(scope.boundMs),
    scope.records?.toString() ?? '',
    scope.bytes?.toString() ?? '',
    formatVector(scope.covered),
    formatFloor(scope.floor),
  ];
}

/** A floor names every log of which something was purged: after a year of restarts hundreds, which --json tells. */
function formatFloor(floor: VersionVector): string {
  return floor.size > floorLogsShownMax ? `in ${floor.size} logs` : formatVector(floor);
}
