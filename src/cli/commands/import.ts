import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Argv } from 'yargs';
import type { ClusterHandle } from '../../client/cluster-handle.ts';
import { parseDuration } from '../../config/parse-duration.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command, CommandContext } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { type FileFormat, fileFormats, formatOf } from '../formats/file-format.ts';
import type { ImportRecord } from '../formats/import-record.ts';
import { readCsv } from '../formats/read-csv.ts';
import { readObjects } from '../formats/read-objects.ts';
import { Checkpoint, fileIdentity } from '../transfer/checkpoint.ts';
import { importRecords } from '../transfer/import-records.ts';
import { type Progress, showProgress } from '../transfer/progress.ts';
import { UsageError } from '../usage-error.ts';

interface ImportWords extends ClientWords {
  readonly namespace: string;
  readonly file: string;
  readonly format: FileFormat | undefined;
  readonly 'key-column': string | undefined;
  readonly 'value-column': string | undefined;
  readonly columns: string | undefined;
  readonly concurrency: string;
  readonly checkpoint: string | undefined;
  readonly retry: string;
}

export const importCommand: Command<ImportWords> = {
  usage: 'import <namespace> <file>',
  describe: 'Write the records of a file; interrupted, it goes on where it stopped',
  build: (parser) =>
    withClientOptions(parser)
      .positional('namespace', { type: 'string', demandOption: true, describe: 'Title or id' })
      .positional('file', { type: 'string', demandOption: true, describe: 'A path, or - for standard input' })
      .options({
        format: {
          choices: fileFormats,
          requiresArg: true,
          describe:
            'Of a file in UTF-8. Default: as the name ends. ndjson: one {"key","value",…} a line; workers-kv: its bulk JSON array',
        },
        'key-column': { type: 'string', requiresArg: true, describe: 'CSV: column of the keys; default: key' },
        'value-column': {
          type: 'string',
          requiresArg: true,
          describe: 'CSV: column of the values; default: value, or else the whole row as JSON',
        },
        columns: {
          type: 'string',
          requiresArg: true,
          describe: 'CSV without a heading: names of its columns, by commas',
        },
        concurrency: {
          type: 'string',
          requiresArg: true,
          default: '4',
          describe: 'Batches under way at once, 1 to 64',
        },
        checkpoint: {
          type: 'string',
          requiresArg: true,
          describe: 'File that remembers how far it came; default: beside the input. Removed when all is written',
        },
        retry: {
          type: 'string',
          requiresArg: true,
          default: '60s',
          describe: 'For how long a batch is tried again while the cluster is away',
        },
      })
      .example('$0 import flags flags.ndjson', 'every line {"key": …, "value": …}')
      .example(
        '$0 import routes asn.csv --columns start,end,country --key-column start',
        'rows as JSON',
      ) as Argv<ImportWords>,
  run: async (words, context) => {
    const format = formatOf(words.format, words.file);
    const bounds = { concurrency: concurrencyOf(words.concurrency), retryMs: retryOf(words.retry) };
    const bytes = await sizeOf(words.file);
    return withCluster(words, context, (cluster) => importFile({ words, context, cluster, format, bytes, ...bounds }));
  },
};

interface ImportRun {
  readonly words: ImportWords;
  readonly context: CommandContext;
  readonly cluster: ClusterHandle;
  readonly format: FileFormat;
  /** Size of the input; 0 where it is standard input. */
  readonly bytes: number;
  readonly concurrency: number;
  readonly retryMs: number;
}

async function importFile(run: ImportRun): Promise<ExitCode> {
  const { words, context, cluster } = run;
  const { terminal, clock, random } = context;
  const namespace = cluster.namespace(words.namespace);
  const checkpoint = await checkpointOf(run);
  const skip = (await checkpoint?.load())?.records ?? 0;
  if (skip > 0) terminal.note(`going on behind record ${skip}, where the last import stopped`);
  const progress = showProgress(terminal, `import ${words.namespace}`, run.bytes);
  let acknowledged = skip;
  let expired = 0;
  const input = counted(words.file === '-' ? terminal.input : createReadStream(words.file), (read) =>
    progress.at(read, acknowledged),
  );
  try {
    const records = await importRecords(reader(run, input), {
      ...{ skip, clock, random, concurrency: run.concurrency, retryMs: run.retryMs, signal: terminal.stopped },
      write: (mutations, signal) => namespace.write(mutations, { signal }),
      leftOut: (count) => {
        expired += count;
      },
      advanced: async (count) => {
        acknowledged = count;
        await checkpoint?.save({ records: count });
      },
    });
    await finish(run, progress, { records, expired }, checkpoint);
    return exitCodes.done;
  } catch (error) {
    progress.stop();
    const goesOn = checkpoint !== undefined && acknowledged > 0;
    terminal.note(`stopped with ${acknowledged} records acknowledged${goesOn ? '; run it again to go on' : ''}`);
    if (terminal.stopped.aborted) return exitCodes.stopped;
    throw error;
  }
}

async function finish(
  { words, context }: ImportRun,
  progress: Progress,
  counts: { readonly records: number; readonly expired: number },
  checkpoint: Checkpoint | undefined,
): Promise<void> {
  progress.stop();
  await checkpoint?.remove();
  const { records, expired } = counts;
  const left = expired === 0 ? '' : `, ${expired} of them left out, as they had expired`;
  const json = JSON.stringify({ records, ...(expired === 0 ? {} : { expired }) });
  await context.terminal.write(words.json ? `${json}\n` : `${records} records imported${left}\n`);
}

/** Standard input cannot be read again, so nothing is remembered of it. */
async function checkpointOf({ words, cluster, format }: ImportRun): Promise<Checkpoint | undefined> {
  const { id } = await cluster.namespaces.get(words.namespace);
  if (words.file === '-') return undefined;
  const path = words.checkpoint ?? `${words.file}.meridian-import`;
  // What the columns mean is what the records are.
  const columns = format === 'csv' ? JSON.stringify([words['key-column'], words['value-column'], words.columns]) : '';
  return new Checkpoint(path, { file: await fileIdentity(words.file), format, columns, namespace: id });
}

function reader({ words, format }: ImportRun, input: AsyncIterable<Uint8Array>): AsyncIterable<ImportRecord> {
  if (format !== 'csv') return readObjects(input);
  return readCsv(input, {
    keyColumn: words['key-column'],
    valueColumn: words['value-column'],
    columns: words.columns?.split(','),
  });
}

async function* counted(
  input: AsyncIterable<Uint8Array>,
  tell: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0;
  for await (const chunk of input) {
    bytes += chunk.byteLength;
    tell(bytes);
    yield chunk;
  }
}

async function sizeOf(path: string): Promise<number> {
  if (path === '-') return 0;
  const found = await stat(path).catch((error: Error) => {
    throw new UsageError(`the file cannot be read: ${error.message}`, error);
  });
  if (!found.isFile()) throw new UsageError(`${path} is no file`);
  return found.size;
}

function concurrencyOf(text: string): number {
  const number = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= 64) return number;
  throw new UsageError(`--concurrency must be a whole number from 1 to 64; it is "${text}"`);
}

function retryOf(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new UsageError(`--retry must be a duration with its unit, such as 60s; it is "${text}"`);
}
