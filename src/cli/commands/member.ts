import type { Argv } from 'yargs';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import { type Choose, type Command, install } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { table } from '../table.ts';

const listCommand: Command<ClientWords> = {
  usage: 'list',
  describe: 'Print the origins and edges that the node knows',
  build: withClientOptions,
  run: (words, context) =>
    withCluster(words, context, async (cluster) => {
      const members = await cluster.members();
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

/** `member list`. */
export function installMemberCommands(parser: Argv, choose: Choose): Argv {
  return parser.command('member', 'The origins and edges of the cluster', (group) =>
    install(group, listCommand, choose).demandCommand(1, 'member needs a command: list'),
  );
}
