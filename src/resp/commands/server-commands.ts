import type { NodeStatus } from '../../model/cluster.ts';
import type { Client } from '../client.ts';
import { type Reply, RespError, Status } from '../protocol/reply.ts';
import { wordOf } from './arguments.ts';
import type { Args, CommandAbout, CommandSpec } from './command.ts';

/** The version of Redis whose words are answered: tools look for it. */
const redisVersion = '7.0.15';

type Fields = ReadonlyArray<readonly [name: string, value: string | number]>;

/** The sections of INFO, in their order. */
function sectionsOf(client: Client, status: NodeStatus | undefined): ReadonlyMap<string, Fields> {
  const { about, databases } = client.parts;
  const uptimeSeconds = Math.floor((status?.uptimeMs ?? 0) / 1000);
  return new Map<string, Fields>([
    [
      'Server',
      [
        ['redis_version', redisVersion],
        ['redis_mode', 'standalone'],
        ['meridian_version', about.version],
        ['run_id', status?.node.id ?? ''],
        ['uptime_in_seconds', uptimeSeconds],
      ],
    ],
    ['Clients', [['connected_clients', about.clients()]]],
    ['Persistence', [['loading', 0]]],
    ['Stats', [['total_commands_processed', about.commands()]]],
    [
      'Replication',
      [
        // An edge takes writes, and passes them on: to a client there are no replicas.
        ['role', 'master'],
        ['connected_slaves', 0],
      ],
    ],
    [
      'Meridian',
      [
        ['meridian_name', status?.node.name ?? ''],
        ['meridian_role', status?.node.role ?? ''],
        ['meridian_region', status?.node.region ?? ''],
        ['meridian_ready', status?.ready === true ? 1 : 0],
        ['meridian_namespace', client.hasNamespace ? client.namespace : ''],
      ],
    ],
    ['Keyspace', [...databases].map(([number, namespace]) => [`db${number}`, `namespace=${namespace}`] as const)],
  ]);
}

const allSections = new Set(['ALL', 'DEFAULT', 'EVERYTHING']);

function info(client: Client, args: Args): Promise<Reply> {
  const wanted = new Set(args.slice(1).map(wordOf));
  const isAll = wanted.size === 0 || [...wanted].some((word) => allSections.has(word));
  return client.within(async (call) => {
    const status = await client.upstream.status(call).catch(() => undefined);
    return [...sectionsOf(client, status)]
      .filter(([name]) => isAll || wanted.has(name.toUpperCase()))
      .map(([name, fields]) => `# ${name}\r\n${fields.map(([field, value]) => `${field}:${value}\r\n`).join('')}`)
      .join('\r\n');
  });
}

/** COMMAND, of the commands that `table` names. */
export function serverCommands(table: () => ReadonlyMap<string, CommandAbout>): readonly CommandSpec[] {
  const command = (_client: Client, args: Args): Reply => {
    const all = table();
    const names = args.slice(2).map((name) => name.toString('latin1').toLowerCase());
    switch (wordOf(args[1])) {
      case '':
        return [...all.values()].map(detailsOf);
      case 'COUNT':
        return all.size;
      case 'LIST':
        return [...all.keys()];
      case 'INFO':
        return (names.length === 0 ? [...all.keys()] : names).map((name) => {
          const about = all.get(name);
          return about === undefined ? null : detailsOf(about);
        });
      case 'DOCS': {
        const known = (names.length === 0 ? [...all.keys()] : names).map((name) => all.get(name));
        return new Map(known.flatMap((about) => (about === undefined ? [] : [[about.name, docsOf(about)]])));
      }
      default: {
        const given = args[1]?.toString('latin1').slice(0, 64) ?? '';
        throw new RespError(`ERR unknown subcommand '${given}'. Try COMMAND HELP.`, 'unknown-subcommand');
      }
    }
  };
  const about = { keys: [0, 0, 0] as const, group: 'server', flags: ['loading', 'stale'], order: 'read' } as const;
  return [
    { ...about, name: 'info', arity: -1, since: '1.0.0', summary: 'What the node says of itself.', run: info },
    { ...about, name: 'command', arity: -1, since: '2.8.13', summary: 'Which commands there are.', run: command },
  ];
}

/** The ten elements that Redis 7 tells of a command; those that nothing here has are empty. */
function detailsOf({ name, arity, flags, keys }: CommandAbout): Reply {
  return [name, arity, flags.map((flag) => new Status(flag)), ...keys, [], [], [], []];
}

function docsOf({ summary, since, group }: CommandAbout): Reply {
  return new Map([
    ['summary', summary],
    ['since', since],
    ['group', group],
  ]);
}
