import type { Argv } from 'yargs';
import type { ClusterHandle } from '../../client/cluster-handle.ts';
import type { ClientConfig } from '../../config/config.ts';
import { formatAddress } from '../../config/parse-address.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command, CommandContext } from '../command.ts';
import { damagedNote } from '../damaged-note.ts';
import { isStandardInput } from '../descriptor-paths.ts';
import { comparedEntry, comparedImport } from '../diff/compared-record.ts';
import { ComparedSide } from '../diff/compared-side.ts';
import { diffStreams, type KeyChange } from '../diff/diff-streams.ts';
import { sortedRecords } from '../diff/sorted-records.ts';
import { describeFailure, type ExitCode, exitCodes } from '../exit-code.ts';
import { decompressed } from '../formats/decompress.ts';
import { fileBytes } from '../formats/file-bytes.ts';
import { type ImportFormat, importFormatOf } from '../formats/file-format.ts';
import { expirationOf, type ImportRecord } from '../formats/import-record.ts';
import { type RecordFile, readRecords } from '../formats/read-records.ts';
import { readConfig, type Words } from '../option-flags.ts';
import { type OtherSideWords, otherSideConfig, otherSideFlags, otherSideLists, withOtherSide } from '../other-side.ts';
import { itemPrinter } from '../print-result.ts';
import { type ReadWords, readOptionsOf, withReadOptions } from '../read-flags.ts';
import { type ReadingWords, readingFlags, readingOf } from '../reading-flags.ts';
import { type RecordFileWords, recordFileFlags, recordFileOf } from '../record-file-flags.ts';
import { shownText, shownUrl } from '../shown-text.ts';
import { entriesPatiently } from '../transfer/read-patiently.ts';
import { UsageError } from '../usage-error.ts';

interface DiffWords extends ClientWords, ReadWords, ReadingWords, OtherSideWords, RecordFileWords {
  readonly namespace: string;
  readonly file: string | undefined;
  readonly prefix: string;
  readonly 'to-namespace': string | undefined;
}

export const diffCommand: Command<DiffWords> = {
  usage: 'diff <namespace> [file]',
  describe:
    'Print which keys were added (+), removed (-) or changed (~) from a namespace to a file, or to a namespace at another node; exit code 0: none, 1: some, 2: could not be found out',
  lists: otherSideLists,
  build: (parser) =>
    withReadOptions(withClientOptions(parser))
      .positional('namespace', { type: 'string', demandOption: true, describe: 'Title or id' })
      .positional('file', { type: 'string', describe: 'As import reads it, in any order; - is standard input' })
      .options({
        prefix: { type: 'string', default: '', describe: 'Only keys that start so' },
        'to-namespace': {
          type: 'string',
          requiresArg: true,
          describe: 'In place of a file: title or id at the second side. Default: the same',
        },
        ...readingFlags,
        ...otherSideFlags,
        ...recordFileFlags,
      })
      .example('$0 diff flags --to-endpoint fra:7100 --at-origin', 'do both nodes answer the same?')
      .example('$0 diff flags flags.ndjson', 'what an import of that file would add and change') as Argv<DiffWords>,
  run: async (words, context) => {
    try {
      return await runDiff(words, context);
    } catch (error) {
      if (context.terminal.stopped.aborted) return exitCodes.stopped;
      context.terminal.note(describeFailure(error, words.json).line);
      return exitCodes.trouble;
    }
  },
};

async function runDiff(words: DiffWords, context: CommandContext): Promise<ExitCode> {
  const { namespace, file, 'to-namespace': toNamespace } = words;
  const { environment } = context.terminal;
  const hasOther = [toNamespace, words['to-endpoint'], words['to-config']].some((word) => word !== undefined);
  if ((file !== undefined) === hasOther) {
    throw new UsageError('give either a file, or another side: --to-endpoint, --to-config or --to-namespace');
  }
  const config = await readConfig('client', words as unknown as Words, environment);
  if (file !== undefined) {
    const format = formatOfFile(words.format, file);
    const recordFile = recordFileOf(words, format);
    return withCluster(words, context, async (cluster) => {
      const first = namespaceSide(cluster, namespace, config, words, context);
      const isOfAll = format === 'kept-apart' && recordFile.namespace === undefined;
      const of = isOfAll ? { namespace: (await cluster.namespaces.get(namespace)).id } : {};
      return compare([first, fileSide(file, words, context, { ...recordFile, ...of })], words, context);
    });
  }
  const otherConfig = await otherSideConfig(words, environment);
  return withCluster(words, context, (one) =>
    withOtherSide(words, context, (other) => {
      const first = namespaceSide(one, namespace, config, words, context);
      const second = namespaceSide(other, toNamespace ?? namespace, otherConfig, words, context);
      return compare([first, second], words, context);
    }),
  );
}

function namespaceSide(
  cluster: ClusterHandle,
  name: string,
  { endpoints }: ClientConfig,
  words: DiffWords,
  context: CommandContext,
): ComparedSide {
  const { prefix } = words;
  const side = new ComparedSide(`${name} at ${endpoints.map(formatAddress).join(', ')}`);
  const entries = entriesPatiently(cluster.namespace(name), readingOf(words, context), {
    ...readOptionsOf(words),
    prefix,
    onAnswer: (source) => side.answered(source),
    onDamaged: (key) => {
      side.damaged++;
      context.terminal.note(damagedNote(key, words.json));
    },
  });
  side.records = mapped(entries, comparedEntry);
  return side;
}

/** `copy` has a namespace in this place, which here would be a file without a format. @throws UsageError */
function formatOfFile(named: DiffWords['format'], file: string): ImportFormat {
  try {
    return importFormatOf(named, file);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(
      `${error.message}, as ${shownUrl(file)} is a file here; a namespace is given by --to-namespace`,
      error,
    );
  }
}

function fileSide(
  file: string,
  { prefix }: DiffWords,
  { terminal, clock }: CommandContext,
  format: RecordFile,
): ComparedSide {
  const side = new ComparedSide(isStandardInput(file) ? 'standard input' : file);
  const input = isStandardInput(file) ? terminal.input : fileBytes(file, terminal.stopped);
  const nowSeconds = clock.wallMs() / 1000;
  // An import leaves out what has expired, and a namespace does not show it.
  const isThere = (record: ImportRecord) =>
    record.key.startsWith(prefix) && (expirationOf(record) ?? Number.POSITIVE_INFINITY) > nowSeconds;
  side.records = sortedRecords(
    mapped(chosen(readRecords(decompressed(input), { ...format, note: terminal.note }), isThere), comparedImport),
  );
  return side;
}

async function compare(
  sides: readonly [ComparedSide, ComparedSide],
  words: DiffWords,
  { terminal }: CommandContext,
): Promise<ExitCode> {
  const printer = await itemPrinter(words, terminal);
  const counts = { added: 0, removed: 0, changed: 0, equal: 0 };
  for await (const change of diffStreams(sides[0].records, sides[1].records)) {
    counts[change.kind]++;
    if (change.kind !== 'equal') await printer.print([{ item: change, text: lineOf(change) }]);
  }
  const { added, removed, changed, equal } = counts;
  const summary = { ...counts, sides: sides.map((side) => side.asJson()) };
  if (words.json) await printer.print([{ item: summary, text: '' }]);
  else {
    for (const side of sides) terminal.note(side.asText());
    terminal.note(`${added} added, ${removed} removed, ${changed} changed, ${equal} equal`);
  }
  await printer.end();
  // Whether a damaged record has a value, and which, is unknown.
  if (sides.some(({ damaged }) => damaged > 0)) return exitCodes.trouble;
  return added + removed + changed === 0 ? exitCodes.done : exitCodes.differ;
}

function lineOf(change: KeyChange): string {
  const sign = { added: '+', removed: '-', changed: '~', equal: ' ' }[change.kind];
  return `${sign} ${shownText(change.key)}${change.kind === 'changed' ? ` (${change.differs.join(', ')})` : ''}`;
}

async function* chosen<T>(items: AsyncIterable<T>, isChosen: (item: T) => boolean): AsyncGenerator<T, void, undefined> {
  for await (const item of items) if (isChosen(item)) yield item;
}

async function* mapped<T, R>(items: AsyncIterable<T>, map: (item: T) => R): AsyncGenerator<R, void, undefined> {
  for await (const item of items) yield map(item);
}
