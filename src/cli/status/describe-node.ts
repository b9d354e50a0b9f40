import type { NodeStatus, PartStatus } from '../../model/cluster.ts';
import { formatVector } from '../../model/version-vector.ts';
import { table } from '../table.ts';

/** What one node says of itself, for people. */
export function describeNode(status: NodeStatus): string {
  const { node, clusterId, version, ready, readOnly, notes, uptimeMs, hitRate, parts, followers, peers = [] } = status;
  const facts = [
    `${node.role} ${node.name} (${node.id}) in ${node.region}${placeOf(node.location)}, Meridian ${version}, cluster ${clusterId}`,
    `${ready ? 'ready' : 'NOT READY'}${readOnly ? ', takes no writes' : ''}, up ${Math.round(uptimeMs / 1000)} s`,
    ...(hitRate === undefined ? [] : [`${(hitRate * 100).toFixed(1)} % of reads served without a load`]),
    ...notes.map((note) => `note: ${note}`),
  ];
  const sections = [`${facts.join('\n')}\n`, table(partHeadings, parts.map(partRow))];
  if (peers.length > 0) {
    const rows = peers.map(({ name, id, address, state, boundMs, unacknowledged }) => {
      return [name, id, address, state, ageOf(boundMs), unacknowledged?.toString() ?? 'unknown'];
    });
    sections.push(table(['peer', 'id', 'address', 'state', 'proven age', 'unacknowledged'], rows));
  }
  if (followers.length > 0) {
    const rows = followers.map((f) => [f.name, f.role, f.id, f.part, f.state, f.behindCommits?.toString() ?? '']);
    sections.push(table(['follower', 'role', 'id', 'part', 'state', 'behind'], rows));
  }
  return sections.join('\n');
}

function placeOf(location: readonly [number, number] | undefined): string {
  return location === undefined ? '' : ` at ${location.join(',')}`;
}

export function ageOf(boundMs: number | undefined): string {
  return boundMs === undefined ? 'unknown' : `${Math.round(boundMs)} ms`;
}

const partHeadings = ['part', 'holds', 'state', 'upstream', 'proven age', 'records', 'bytes', 'covered', 'floor'];

function partRow(part: PartStatus): string[] {
  return [
    part.part,
    part.includes.join(' '),
    part.state,
    part.upstream ?? '',
    ageOf(part.boundMs),
    part.records?.toString() ?? '',
    part.bytes?.toString() ?? '',
    formatVector(part.covered),
    formatVector(part.floor),
  ];
}
