import type { Argv } from 'yargs';
import type { Member, RemovedMember } from '../../model/cluster.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import { type Choose, type Command, install } from '../command.ts';
import { confirm, yesFlag } from '../confirm.ts';
import { exitCodes } from '../exit-code.ts';
import { printAll, printResult } from '../print-result.ts';
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
      const headings = ['name', 'role', 'region', 'id', 'state', 'address', 'logs', 'newest log'];
      await printAll(words, context.terminal, members, () => table(headings, members.map(memberRow)));
      return exitCodes.done;
    }),
};

const removeCommand: Command<RemoveWords> = {
  usage: 'remove <origin>',
  describe: 'Remove an origin for good: its logs are sealed at what the others hold of them',
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
      const { terminal } = context;
      const options = { signal: terminal.stopped };
      // Who may remove members may not be told of them: then nothing is known of that.
      const members = await cluster.members(options).catch((): readonly Member[] => []);
      const removed = await cluster.removeMember({ name, force }, options);
      await printResult(words, terminal, removed, describeRemoved(removed));
      const runs = members.some(({ id, connected }) => id === removed.id && connected);
      if (runs) terminal.note(`${removed.name} runs still: unless it is stopped it joins again, as another member`);
      return exitCodes.done;
    });
  },
};

function memberRow({ name, role, region, id, connected, address, logs = [] }: Member): string[] {
  const { length } = logs;
  const waiting = logs.slice(0, -1).filter(({ final }) => final === undefined).length;
  const count = `${length}${waiting === 0 ? '' : ` (${waiting} not sealed)`}`;
  const state = connected ? 'connected' : 'away';
  return [name, role, region, id, state, address ?? '', length === 0 ? '' : count, logs.at(-1)?.log ?? ''];
}

function describeRemoved({ id, name, logs, missing }: RemovedMember): string {
  const sealed = logs.map(({ log, final }) => `log ${log} is sealed at its write ${final}`);
  const away = missing.length === 0 ? [] : [`not heard: ${missing.join(', ')}`];
  return [`${name} (${id}) is removed`, ...sealed, ...away].join('\n');
}

/** `member list|remove`. */
export function installMemberCommands(parser: Argv, choose: Choose): Argv {
  return parser.command('member', 'The origins and edges of the cluster', (group) =>
    install(install(group, listCommand, choose), removeCommand, choose).demandCommand(
      1,
      'member needs a command: list or remove',
    ),
  );
}
