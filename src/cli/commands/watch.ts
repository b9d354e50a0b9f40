import type { Argv } from 'yargs';
import type { Change } from '../../client/change.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { toJsonValue } from '../json-value.ts';
import { itemPrinter } from '../print-result.ts';
import { shownText } from '../shown-text.ts';

interface WatchWords extends ClientWords {
  readonly namespace: string;
  readonly prefix: string;
  readonly since: string | undefined;
  readonly 'from-start': boolean;
}

export const watchCommand: Command<WatchWords> = {
  usage: 'watch <namespace> [prefix]',
  describe: 'Print each change as it comes, one a line; resumes by itself, ends with Ctrl-C',
  build: (parser) =>
    withClientOptions(parser)
      .positional('namespace', { type: 'string', demandOption: true, describe: 'Title or id' })
      .positional('prefix', { type: 'string', default: '', describe: 'Only keys that start so' })
      .options({
        since: { type: 'string', requiresArg: true, describe: 'Go on behind this cursor, as printed by --json' },
        'from-start': { type: 'boolean', default: false, describe: 'Begin with every record there is' },
      })
      .example('$0 watch flags', 'every change from now on')
      .example('$0 watch flags be --json', 'with values, and cursors for --since') as Argv<WatchWords>,
  run: (words, context) =>
    withCluster(words, context, async (cluster) => {
      const { namespace, prefix, since } = words;
      const changes = cluster.namespace(namespace).watch({
        prefix,
        fromStart: words['from-start'],
        signal: context.terminal.stopped,
        ...(since === undefined ? {} : { since }),
      });
      const printer = await itemPrinter(words, context.terminal);
      for await (const change of changes) {
        const text = plainLine(change);
        if (words.json || text !== undefined) await printer.print([{ item: itemOf(change), text: text ?? '' }]);
      }
      await printer.end();
      return exitCodes.done;
    }),
};

function itemOf(change: Change): object {
  if (change.kind !== 'put' || change.value === null) return change;
  return { ...change, ...toJsonValue(change.value) };
}

/** A change that names no key is no line for a person, but a reset voids what they saw. */
function plainLine(change: Change): string | undefined {
  switch (change.kind) {
    case 'put':
      return `put\t${shownText(change.key)}\t${change.version}\t${change.value === null ? 'large' : change.value.byteLength}`;
    case 'delete':
      return `delete\t${shownText(change.key)}\t${change.version}`;
    case 'reset':
      return 'reset';
    case 'caught-up':
      return undefined;
  }
}
