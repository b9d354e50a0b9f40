import type { Argv } from 'yargs';
import type { Namespace } from '../../client/namespace.ts';
import { limits } from '../../model/limits.ts';
import { AnswersAge } from '../answers-age.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command, CommandContext } from '../command.ts';
import { damagedNote } from '../damaged-note.ts';
import { exitCodes } from '../exit-code.ts';
import { itemPrinter } from '../print-result.ts';
import { type ReadWords, readOptionsOf, withReadOptions } from '../read-flags.ts';
import { type ReadingWords, readingFlags, readingOf } from '../reading-flags.ts';
import { shownText } from '../shown-text.ts';
import { pagesPatiently } from '../transfer/read-patiently.ts';
import { UsageError } from '../usage-error.ts';

interface ListWords extends ClientWords, ReadWords, ReadingWords {
  readonly namespace: string;
  readonly prefix: string;
  readonly limit: string | undefined;
  readonly cursor: string | undefined;
}

export const listCommand: Command<ListWords> = {
  usage: 'list <namespace>',
  describe:
    'Print keys in the order of their bytes, one a line; all of them unless --limit. One with line ends or other control characters stands as JSON has it',
  build: (parser) =>
    withReadOptions(withClientOptions(parser))
      .positional('namespace', { type: 'string', demandOption: true, describe: 'Title or id' })
      .options({
        prefix: { type: 'string', default: '', describe: 'Only keys that start so' },
        limit: {
          type: 'string',
          requiresArg: true,
          describe:
            'At most so many; where there are more, the cursor to go on comes on standard error (--output json or yaml: as the last one)',
        },
        ...readingFlags,
        cursor: { type: 'string', requiresArg: true, describe: 'Go on behind an earlier page with the same prefix' },
      })
      .example('$0 list flags --prefix be', 'every key that starts with "be"')
      .example('$0 list flags --json', 'with version, size, expiry and metadata') as Argv<ListWords>,
  run: async (words, context) => {
    const most = limitOf(words.limit);
    return withCluster(words, context, async (cluster) => {
      const { cursor, damaged, age } = await printKeys(cluster.namespace(words.namespace), words, most, context);
      age.tell(context.terminal, words.json);
      if (cursor !== undefined && !words.json) context.terminal.note(`more keys follow: --cursor ${cursor}`);
      return damaged === 0 ? exitCodes.done : exitCodes.failed;
    });
  },
};

/** Page after page, up to `most` keys; damaged ones go to standard error. Returns the cursor where there may be more. */
async function printKeys(
  namespace: Namespace,
  words: ListWords,
  most: number,
  context: CommandContext,
): Promise<{ readonly cursor: string | undefined; readonly damaged: number; readonly age: AnswersAge }> {
  const { terminal } = context;
  const age = new AnswersAge();
  let cursor: string | undefined;
  let [left, damaged] = [most, 0];
  const printer = await itemPrinter(words, terminal);
  const asked = { ...readOptionsOf(words), prefix: words.prefix, ...(words.cursor && { cursor: words.cursor }) };
  const limit = () => Math.min(left, limits.listKeysMax);
  for await (const page of pagesPatiently(namespace, readingOf(words, context), asked, limit)) {
    age.heard(page);
    for (const key of page.keys.filter((one) => one.damaged)) {
      damaged++;
      terminal.note(damagedNote(key.name, words.json));
    }
    const sound = page.keys.filter((key) => !key.damaged);
    await printer.print(sound.map((key) => ({ item: key, text: shownText(key.name) })));
    cursor = page.list_complete ? undefined : page.cursor;
    left -= page.keys.length;
    if (left <= 0) break;
  }
  if (cursor !== undefined && words.json) await printer.print([{ item: { cursor }, text: '' }]);
  await printer.end();
  return { cursor, damaged, age };
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new UsageError(`--limit must be a whole number, 1 or more; it is "${text}"`);
}
