import type { Argv } from 'yargs';
import type { Namespace } from '../../client/namespace.ts';
import type { Durability } from '../../model/key-value.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command, CommandContext } from '../command.ts';
import { confirm, yesFlag } from '../confirm.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { itemPrinter, printResult } from '../print-result.ts';
import { type ReadingWords, readingFlags, readingOf } from '../reading-flags.ts';
import { shownText } from '../shown-text.ts';
import { deleteKeys } from '../transfer/delete-keys.ts';
import { keysPatiently } from '../transfer/read-patiently.ts';
import { UsageError } from '../usage-error.ts';
import { conditionOf, shortOf, type WriteWords, withWriteOptions, writeOptionsOf } from '../write-flags.ts';

interface DeleteWords extends ClientWords, WriteWords, ReadingWords {
  readonly namespace: string;
  readonly key: string | undefined;
  readonly prefix: string | undefined;
  readonly 'dry-run': boolean;
  readonly yes: boolean;
}

export const deleteCommand: Command<DeleteWords> = {
  usage: 'delete <namespace> [key]',
  describe: 'Delete a key, whether it is there or not, and print the version of the deletion; or all keys of a prefix',
  build: (parser) =>
    withWriteOptions(withClientOptions(parser))
      .positional('namespace', { type: 'string', demandOption: true, describe: 'Title or id' })
      .positional('key', { type: 'string' })
      .options({
        prefix: {
          type: 'string',
          requiresArg: true,
          describe: 'All keys that start so, in place of one key: counts them, and asks (--prefix= is all there are)',
        },
        'dry-run': { type: 'boolean', default: false, describe: 'With --prefix: print the keys, and delete none' },
        ...readingFlags,
        ...yesFlag,
      })
      .example('$0 delete flags beta', 'the key is gone, everywhere, shortly')
      .example('$0 delete flags --prefix beta/ --dry-run', 'which keys would go') as Argv<DeleteWords>,
  run: async (words, context) => {
    const { key, prefix } = words;
    const condition = conditionOf(words);
    if ((key === undefined) === (prefix === undefined)) throw new UsageError('give either a key or --prefix');
    if (prefix === undefined && words['dry-run']) throw new UsageError('--dry-run goes with --prefix');
    if (prefix !== undefined && Object.keys(condition).length > 0) {
      throw new UsageError('a condition is of one key: it does not go with --prefix');
    }
    return withCluster(words, context, async (cluster) => {
      const namespace = cluster.namespace(words.namespace);
      if (prefix !== undefined) return deletePrefix(namespace, prefix, words, context);
      const options = { ...writeOptionsOf(words), signal: context.terminal.stopped };
      const mutation = { kind: 'delete', key: key ?? '', ...condition } as const;
      const { written, durability, origin } = await namespace.write([mutation], options);
      const version = written[0]?.version ?? '';
      await printResult(words, context.terminal, { key, version, durability, origin }, version);
      const short = shortOf(words, durability);
      if (short !== undefined) context.terminal.note(short);
      return exitCodes.done;
    });
  },
};

async function deletePrefix(
  namespace: Namespace,
  prefix: string,
  words: DeleteWords,
  context: CommandContext,
): Promise<ExitCode> {
  const { terminal } = context;
  const { json, yes, 'dry-run': dryRun } = words;
  const reading = readingOf(words, context);
  const keys = () => keysPatiently(namespace, reading, { prefix });
  if (dryRun || !yes) {
    let count = 0;
    const printer = await itemPrinter(words, terminal);
    for await (const { name } of keys()) {
      count++;
      if (dryRun) await printer.print([{ item: { key: name }, text: shownText(name) }]);
    }
    if (dryRun) await printer.end();
    if (dryRun && !json) terminal.note(`${count} keys would be deleted`);
    if (dryRun || count === 0) return dryRun ? exitCodes.done : told(0, words, terminal);
    const which = prefix === '' ? 'all keys' : `the keys that start with ${JSON.stringify(prefix)}`;
    await confirm(`Delete ${which} of ${namespace.name}? There are ${count} now.`, terminal);
  }
  let short: string | undefined;
  const reached = (level: Durability) => {
    short ??= shortOf(words, level);
  };
  const deleted = await deleteKeys(namespace, keys(), { write: writeOptionsOf(words), reading, reached });
  const exitCode = await told(deleted, words, terminal);
  if (short !== undefined) terminal.note(short);
  return exitCode;
}

async function told(
  deleted: number,
  words: Pick<DeleteWords, 'json' | 'output' | 'prefix'>,
  terminal: CommandContext['terminal'],
): Promise<ExitCode> {
  await printResult(words, terminal, { prefix: words.prefix, deleted }, `${deleted} keys deleted`);
  return exitCodes.done;
}
