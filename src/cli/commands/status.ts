import type { NodeStatus, PartStatus } from '../../model/cluster.ts';
import { formatVector, type VersionVector } from '../../model/version-vector.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { table } from '../table.ts';

export const statusCommand: Command<ClientWords> = {
  usage: 'status',
  describe: 'What a node says of itself: parts, vectors, proven age, followers, members',
  build: (parser) =>
    withClientOptions(parser)
      .example('$0 status', 'the origin on this machine')
      .example('$0 status --endpoint 127.0.0.1:7200 --json', 'an edge, for a program'),
  run: (words, context) =>
    withCluster(words, context, async (cluster) => {
      const status = await cluster.status();
      const text = words.json ? `${JSON.stringify(status, jsonVectors)}\n` : describe(status);
      await context.terminal.write(text);
      return exitCodes.done;
    }),
};

function jsonVectors(_key: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value as VersionVector) : value;
}

function describe(status: NodeStatus): string {
  const { node, clusterId, version, ready, readOnly, notes, uptimeMs, hitRate, parts, followers, peers = [] } = status;
  const facts = [
    `${node.role} ${node.name} (${node.id}) in ${node.region}, Meridian ${version}, cluster ${clusterId}`,
    `${ready ? 'ready' : 'NOT READY'}${readOnly ? ', takes no writes' : ''}, up ${Math.round(uptimeMs / 1000)} s`,
    ...(hitRate === undefined ? [] : [`${(hitRate * 100).toFixed(1)} % of reads served without a load`]),
    ...notes.map((note) => `note: ${note}`),
  ];
  const sections = [`${facts.join('\n')}\n`, table(partHeadings, parts.map(partRow))];
  if (peers.length > 0) {
    const rows = peers.map((p) => [
      p.name,
      p.id,
      p.address,
      p.state,
      ageOf(p.boundMs),
      p.unacknowledged?.toString() ?? 'unknown',
    ]);
    sections.push(table(['peer', 'id', 'address', 'state', 'proven age', 'unacknowledged'], rows));
  }
  if (followers.length > 0) {
    const rows = followers.map((f) => [f.name, f.role, f.id, f.part, f.state, f.behindCommits?.toString() ?? '']);
    sections.push(table(['follower', 'role', 'id', 'part', 'state', 'behind'], rows));
  }
  return sections.join('\n');
}

function ageOf(boundMs: number | undefined): string {
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
