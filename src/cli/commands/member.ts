import type { Argv } from 'yargs';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import { type Choose, type Command, install } from '../command.ts';
import { confirm, yesFlag } from '../confirm.ts';
import { exitCodes } from '../exit-code.ts';
import { table } from '../table.ts';

interface RemoveWords extends ClientWords {
  readonly origin: string;
  readonly force: boolean;
  readonly yes: boolean;
}

const listCommand: Command<ClientWords> = {
  usage: 'list',
  describe: 'Print the origins and edges that the node knows',
  build: withClientOptions,
  run: (words, context) =>
    withCluster(words, context, async (cluster) => {
      const members = await cluster.members({ signal: context.terminal.stopped });
      if (words.json) for (const member of members) await context.terminal.write(`${JSON.stringify(member)}\n`);
      else {
        const rows = members.map(({ name, role, region, id, connected, address }) => [
          name,
          role,
          region,
          id,
          connected ? 'connected' : 'away',
          address ?? '',
        ]);
        await context.terminal.write(table(['name', 'role', 'region', 'id', 'state', 'address'], rows));
      }
      return exitCodes.done;
    }),
};

const removeCommand: Command<RemoveWords> = {
  usage: 'remove <origin>',
  describe: 'Remove an origin for good; what the others hold of it stays',
  build: (parser) =>
    withClientOptions(parser)
      .positional('origin', {
        type: 'string',
        demandOption: true,
        describe: 'Id of an origin, or a name that is unique',
      })
      .options(yesFlag)
      .option('force', {
        type: 'boolean',
        default: false,
        describe:
          'Also where too few of the others can report what they hold of it. Acknowledged writes, even at majority, may be lost',
      })
      .example('$0 member remove fra --yes', 'fra is gone and does not come back') as Argv<RemoveWords>,
  run: async (words, context) => {
    const { origin: name, force, yes } = words;
    if (!yes) await confirm(`Remove origin ${name} for good? It cannot come back under its id.`, context.terminal);
    return withCluster(words, context, async (cluster) => {
      const removed = await cluster.retire({ name, force }, { signal: context.terminal.stopped });
      const { final, missing } = removed;
      const away = missing.length === 0 ? '' : `; not heard: ${missing.join(', ')}`;
      const text = `${removed.name} (${removed.id}) is removed at its write ${final}${away}`;
      await context.terminal.write(`${words.json ? JSON.stringify(removed) : text}\n`);
      return exitCodes.done;
    });
  },
};

/** `member list|remove`. */
export function installMemberCommands(parser: Argv, choose: Choose): Argv {
  return parser.command('member', 'The origins and edges of the cluster', (group) =>
    install(install(group, listCommand, choose), removeCommand, choose).demandCommand(
      1,
      'member needs a command: list or remove',
    ),
  );
}
