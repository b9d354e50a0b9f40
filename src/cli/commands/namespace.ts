import type { Argv } from 'yargs';
import type { CallOptions } from '../../client/call-options.ts';
import type { ClusterHandle } from '../../client/cluster-handle.ts';
import { limits } from '../../model/limits.ts';
import type { NamespaceInfo } from '../../model/namespace.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import { type Choose, type Command, type CommandContext, install } from '../command.ts';
import { confirm, yesFlag } from '../confirm.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { printAll, printResult } from '../print-result.ts';

interface TitleWords extends ClientWords {
  readonly title: string;
}

interface NameWords extends ClientWords {
  readonly namespace: string;
}

interface HomeWords extends NameWords {
  readonly origin?: string;
}

interface DeleteWords extends NameWords {
  readonly yes: boolean;
}

interface RenameWords extends NameWords, TitleWords {}

const createCommand: Command<TitleWords> = {
  usage: 'create <title>',
  describe: 'Make a namespace; prints its id',
  build: (parser) => withTitle(withClientOptions(parser)) as Argv<TitleWords>,
  run: (words, context) => change(words, context, ({ namespaces }, asked) => namespaces.create(words.title, asked)),
};

const listCommand: Command<ClientWords> = {
  usage: 'list',
  describe: 'Print all namespaces: id, title',
  build: withClientOptions,
  run: (words, context) =>
    withCluster(words, context, async (cluster) => {
      const all = await cluster.namespaces.list({ signal: context.terminal.stopped });
      const text = () => all.map(({ id, title }) => `${id}\t${title}\n`).join('');
      await printAll(words, context.terminal, all, text);
      return exitCodes.done;
    }),
};

const renameCommand: Command<RenameWords> = {
  usage: 'rename <namespace> <title>',
  describe: 'Give a namespace another title; its id and data stay',
  build: (parser) => withTitle(withName(withClientOptions(parser))) as Argv<RenameWords>,
  run: (words, context) =>
    change(words, context, ({ namespaces }, asked) => {
      return namespaces.rename(words.namespace, words.title, asked);
    }),
};

const deleteCommand: Command<DeleteWords> = {
  usage: 'delete <namespace>',
  describe: 'Delete a namespace with all its data, for good',
  build: (parser) => withName(withClientOptions(parser)).options(yesFlag) as Argv<DeleteWords>,
  run: async (words, context) => {
    const { namespace, yes } = words;
    if (!yes) await confirm(`Delete namespace ${namespace} with all its data for good?`, context.terminal);
    return change(words, context, ({ namespaces }, asked) => namespaces.delete(namespace, asked));
  },
};

const homeCommand: Command<HomeWords> = {
  usage: 'home <namespace> [origin]',
  describe: 'Print the id of the origin that decides its conditional writes, or move that to another',
  build: (parser) =>
    withName(withClientOptions(parser)).positional('origin', {
      type: 'string',
      describe: 'Name or id of the origin that is to decide from now on; the present one must be up',
    }) as Argv<HomeWords>,
  run: (words, context) =>
    withCluster(words, context, async ({ namespaces }) => {
      const { namespace, origin } = words;
      const asked = { signal: context.terminal.stopped };
      const info = await (origin === undefined
        ? namespaces.get(namespace, asked)
        : namespaces.moveHome(namespace, origin, asked));
      await printResult(words, context.terminal, info, info.home);
      return exitCodes.done;
    }),
};

/** `namespace create|list|rename|delete|home`. */
export function installNamespaceCommands(parser: Argv, choose: Choose): Argv {
  return parser.command('namespace', 'Make, list, rename and delete namespaces, and move their homes', (group) => {
    install(group, createCommand, choose);
    install(group, listCommand, choose);
    install(group, renameCommand, choose);
    install(group, homeCommand, choose);
    return install(group, deleteCommand, choose).demandCommand(
      1,
      'namespace needs a command: create, list, rename, home or delete',
    );
  });
}

function withTitle(parser: Argv<ClientWords>): Argv {
  return parser.positional('title', {
    type: 'string',
    demandOption: true,
    describe: `1 to ${limits.titleBytesMax} bytes of UTF-8; unique`,
  });
}

function withName(parser: Argv<ClientWords>): Argv<ClientWords> {
  return parser.positional('namespace', { type: 'string', demandOption: true, describe: 'Title or id' });
}

function change(
  words: ClientWords,
  context: CommandContext,
  make: (cluster: ClusterHandle, asked: CallOptions) => Promise<NamespaceInfo>,
): Promise<ExitCode> {
  return withCluster(words, context, async (cluster) => {
    const info = await make(cluster, { signal: context.terminal.stopped });
    await printResult(words, context.terminal, info, info.id);
    return exitCodes.done;
  });
}
