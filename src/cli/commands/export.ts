import { extname } from 'node:path';
import type { Argv } from 'yargs';
import type { ClusterHandle } from '../../client/cluster-handle.ts';
import type { Clock } from '../../runtime/clock.ts';
import { AnswersAge } from '../answers-age.ts';
import { type ClientWords, withCluster } from '../client-command.ts';
import type { Command } from '../command.ts';
import { damagedNote } from '../damaged-note.ts';
import { exitCodes } from '../exit-code.ts';
import { type FileFormat, fileFormats, formatOf } from '../formats/file-format.ts';
import { closingText, recordText } from '../formats/write-records.ts';
import { withOptions } from '../option-flags.ts';
import { type ReadWords, readOptionsOf, withReadOptions } from '../read-flags.ts';
import { type ReadingWords, readingFlags, readingOf } from '../reading-flags.ts';
import type { Terminal } from '../terminal.ts';
import { Checkpoint } from '../transfer/checkpoint.ts';
import { type Exported, exportFile } from '../transfer/export-file.ts';
import { showCount } from '../transfer/progress.ts';
import { entriesPatiently, type Reading } from '../transfer/read-patiently.ts';
import { openStreamOutput, outputKindOf, type StreamOutput } from '../transfer/stream-output.ts';
import { withTransferLock } from '../transfer/transfer-lock.ts';
import { UsageError } from '../usage-error.ts';

interface ExportWords extends ClientWords, ReadWords, ReadingWords {
  readonly namespace: string;
  readonly prefix: string;
  readonly format: FileFormat | undefined;
  readonly output: string | undefined;
}

export const exportCommand: Command<ExportWords> = {
  usage: 'export <namespace>',
  outputIsFile: true,
  describe: 'Print all records with values, metadata and expiry, as import reads them again',
  build: (parser) =>
    withReadOptions(withOptions(parser, 'client'))
      .positional('namespace', { type: 'string', demandOption: true, describe: 'Title or id' })
      .options({
        prefix: { type: 'string', default: '', describe: 'Only keys that start so' },
        json: { type: 'boolean', default: false, describe: 'What is said on standard error is JSON' },
        ...readingFlags,
        format: {
          choices: fileFormats,
          requiresArg: true,
          describe: 'Default: as the name of --output ends, else ndjson; workers-kv: its bulk JSON array',
        },
        output: {
          type: 'string',
          requiresArg: true,
          describe:
            'Write to this file, FIFO or device; interrupted, the same command goes on in a file. Default: standard output',
        },
      })
      .example('$0 export flags > flags.ndjson', 'one record a line')
      .example('$0 export flags --output flags.json', 'for wrangler kv bulk put') as Argv<ExportWords>,
  run: async (words, context) => {
    const { terminal, clock } = context;
    const { output = '-' } = words;
    refuseCompressed(output);
    const kind = await outputKindOf(output);
    const isNamed = kind === 'file' || extname(output) !== '';
    const format = isNamed ? formatOf(words.format, output) : (words.format ?? 'ndjson');
    return withCluster(words, context, async (cluster) => {
      const reading = readingOf(words, context);
      const run = { words, format, cluster, terminal, clock, reading, age: new AnswersAge() };
      const exported =
        kind === 'file'
          ? await toFile(run, output)
          : await toStream(run, await openStreamOutput(output, kind, context));
      const { records, damaged } = exported;
      // On standard error: standard output may be the export itself.
      if (words.json) {
        terminal.note(JSON.stringify({ records, ...(damaged === 0 ? {} : { damaged }), ...run.age.ifPast }));
      } else if (words.output !== undefined || terminal.interactive) terminal.note(`${records} records exported`);
      if (!words.json) run.age.tell(terminal);
      if (damaged === 0) return exitCodes.done;
      if (!words.json) terminal.note(`${damaged} damaged records are missing from the export`);
      return exitCodes.failed;
    });
  },
};

/** UTF-16 units that are gathered before they are written: a write for each record takes as long as the record. */
const pieceLength = 64 * 1024;

/** A name that ends so would say what the file is not. @throws UsageError */
function refuseCompressed(output: string): void {
  const ending = /\.(gz|zst)$/i.exec(output)?.[0];
  if (ending === undefined) return;
  throw new UsageError(`--output is not compressed: leave ${ending} away, or compress what is on standard output`);
}

interface ExportRun {
  readonly words: ExportWords;
  readonly format: FileFormat;
  readonly cluster: ClusterHandle;
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly reading: Reading;
  readonly age: AnswersAge;
}

/** Each damaged record is told of at once, and in the end. */
function entriesOf(
  { words, cluster, terminal, reading, age }: ExportRun,
  cursor: string | undefined,
  passedBy: () => void,
) {
  const onDamaged = (name: string) => {
    passedBy();
    terminal.note(damagedNote(name, words.json));
  };
  const onAnswer = age.heard.bind(age);
  const asked = { ...readOptionsOf(words), prefix: words.prefix, onDamaged, onAnswer };
  const goOn = cursor === undefined ? {} : { cursor };
  return entriesPatiently(cluster.namespace(words.namespace), reading, { ...asked, ...goOn });
}

async function toStream(run: ExportRun, output: StreamOutput): Promise<Exported> {
  let [records, damaged] = [0, 0];
  const passedBy = () => {
    damaged++;
  };
  let piece = '';
  const flush = async () => {
    const text = piece;
    piece = '';
    if (text !== '') await output.write(text);
  };
  try {
    for await (const entry of entriesOf(run, undefined, passedBy)) {
      piece += recordText(run.format, entry, records++ === 0);
      if (piece.length >= pieceLength) await flush();
    }
    piece += closingText(run.format, records);
  } finally {
    await flush().finally(() => output.close());
  }
  return { records, damaged };
}

async function toFile(run: ExportRun, path: string): Promise<Exported> {
  const { words, format, cluster, terminal } = run;
  const { id } = await cluster.namespaces.get(words.namespace);
  let damaged = 0;
  const passedBy = () => {
    damaged++;
  };
  const progress = await showCount(terminal, `export ${words.namespace}`);
  const checkpoint = new Checkpoint(`${path}.meridian-export`, { namespace: id, format, prefix: words.prefix });
  const write = () =>
    exportFile({
      ...{ path, format, checkpoint },
      entries: (cursor) => entriesOf(run, cursor, passedBy),
      damaged: () => damaged,
      goingOn: (records) => terminal.note(`going on behind record ${records}, where the last export stopped`),
      progress: (records) => progress.at(records, records),
    });
  try {
    return await withTransferLock([path], run.clock, write);
  } catch (error) {
    progress.stop();
    const kept = await checkpoint.load();
    if (kept !== undefined) terminal.note(`stopped with ${kept.records} records in the file; run it again to go on`);
    throw error;
  } finally {
    progress.stop();
  }
}
