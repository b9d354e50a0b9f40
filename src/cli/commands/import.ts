import { stat } from 'node:fs/promises';
import type { Argv } from 'yargs';
import type { ClusterHandle } from '../../client/cluster-handle.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command, CommandContext } from '../command.ts';
import { isDescriptor, isStandardInput } from '../descriptor-paths.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { decompressed } from '../formats/decompress.ts';
import { fileBytes } from '../formats/file-bytes.ts';
import { type ImportFormat, importFormatOf } from '../formats/file-format.ts';
import type { ImportRecord } from '../formats/import-record.ts';
import { readRecords } from '../formats/read-records.ts';
import type { Words } from '../option-flags.ts';
import { printResult } from '../print-result.ts';
import { type RecordFileWords, recordFileFlags, recordFileOf } from '../record-file-flags.ts';
import { shownUrl } from '../shown-text.ts';
import { systemFailure } from '../system-failure.ts';
import { Checkpoint, draftOf, fileIdentity, type TransferState } from '../transfer/checkpoint.ts';
import { type NamedFile, refuseSameFiles } from '../transfer/distinct-files.ts';
import { checkEtcdUrl, readEtcd } from '../transfer/etcd-source.ts';
import { importRecords, type UnreadImport } from '../transfer/import-records.ts';
import { PacedCheckpoint } from '../transfer/paced-checkpoint.ts';
import { PlacedCount } from '../transfer/placed-count.ts';
import { type Progress, showCount, showProgress } from '../transfer/progress.ts';
import { SkippedFile } from '../transfer/skipped-file.ts';
import { outputKindOf } from '../transfer/stream-output.ts';
import { lockOf, withTransferLock } from '../transfer/transfer-lock.ts';
import type { SkippedRecord } from '../transfer/write-batch.ts';
import { type TransferWords, transferBoundsOf, transferFlags } from '../transfer-flags.ts';
import { UsageError } from '../usage-error.ts';

interface ImportWords extends ClientWords, TransferWords, RecordFileWords {
  readonly namespace: string;
  readonly file: string;
  readonly checkpoint: string | undefined;
  readonly 'on-error': 'stop' | 'skip';
  readonly skipped: string | undefined;
  readonly deletions?: 'skip' | 'apply' | undefined;
}

export const importCommand: Command<ImportWords> = {
  usage: 'import <namespace> <file>',
  describe:
    'Write the records of a file, of a Redis or of an etcd; interrupted, that of a file goes on where it stopped',
  build: (parser) =>
    withClientOptions(parser)
      .positional('namespace', { type: 'string', demandOption: true, describe: 'Title or id' })
      .positional('file', {
        type: 'string',
        demandOption: true,
        describe:
          'A path, or - for standard input; what is compressed by gzip or zstd is decompressed. redis://host:port/database: the strings of a Redis that runs; etcd://host:port/prefix: the keys of an etcd (etcds:// with TLS)',
      })
      .options({
        ...recordFileFlags,
        ...transferFlags,
        checkpoint: {
          type: 'string',
          requiresArg: true,
          describe: 'File that remembers how far it came; default: beside the input. Removed when all is written',
        },
        deletions: {
          choices: ['skip', 'apply'] as const,
          requiresArg: true,
          describe:
            'Of what an origin kept apart: leave deletions out, and count them, or delete those keys; default: skip',
        },
        'on-error': {
          choices: ['stop', 'skip'] as const,
          requiresArg: true,
          default: 'stop' as const,
          describe:
            'At a record that is refused or cannot be read: stop there, or skip it and write it, with the reason, into the file of skipped records',
        },
        skipped: {
          type: 'string',
          requiresArg: true,
          describe:
            'File of skipped records, NDJSON that import reads once it is mended; default: the input’s name with .skipped.ndjson',
        },
      })
      .example('$0 import flags flags.ndjson', 'every line {"key": …, "value": …}')
      .example(
        '$0 import routes asn.csv --columns start,end,country --key-column start',
        'rows as JSON',
      ) as Argv<ImportWords>,
  run: async (words, context) => {
    const format = liveStoreOf(words.file) ?? importFormatOf(words.format, words.file);
    if (isLiveStore(format)) checkLive(words, format);
    else recordFileOf(words, format);
    if (words.deletions !== undefined && format !== 'kept-apart') {
      throw new UsageError('--deletions is for what an origin kept apart alone');
    }
    const bounds = transferBoundsOf(words);
    const bytes = await sizeOf(words.file);
    const skippedPath = skippedPathOf(words, bytes);
    await refuseSameFiles(filesOf(words, bytes, skippedPath));
    const written = await lockedPaths(words, bytes, skippedPath);
    return withCluster(words, context, (cluster) =>
      withTransferLock(written, context.clock, () =>
        importFile({ words, context, cluster, format, skippedPath, bytes, ...bounds }),
      ),
    );
  },
};

interface ImportRun {
  readonly words: ImportWords;
  readonly context: CommandContext;
  readonly cluster: ClusterHandle;
  readonly format: ImportFormat | LiveStore;
  /** Unset = the first record that is refused ends the import. */
  readonly skippedPath: string | undefined;
  /** Size of the input; undefined where it is no regular file: it has no size, and cannot be read again from its beginning. */
  readonly bytes: number | undefined;
  readonly concurrency: number;
  readonly retryMs: number;
}

/** Of the records that are done, with those of an earlier run. */
interface Counts {
  /** Left out because they had expired. */
  readonly expired: PlacedCount;
  readonly skipped: PlacedCount;
}

interface Beginning {
  /** Of the namespace. */
  readonly id: string;
  readonly progress: Progress;
  readonly checkpoint: Checkpoint | undefined;
  readonly saving: PacedCheckpoint;
  /** Leading records that are acknowledged already. */
  readonly skip: number;
  readonly skipped: SkippedFile | undefined;
  readonly counts: Counts;
}

async function importFile(run: ImportRun): Promise<ExitCode> {
  const { terminal, clock, random } = run.context;
  const namespace = run.cluster.namespace(run.words.namespace);
  const { id, progress, checkpoint, saving, skip, skipped, counts } = await beginning(run);
  let acknowledged = skip;
  let read = 0;
  const input = inputOf(run, (bytes) => {
    read = bytes;
    progress.at(read, acknowledged);
  });
  try {
    const records = await importRecords(reader(run, id, decompressed(input)), {
      ...{ skip, clock, random, concurrency: run.concurrency, retryMs: run.retryMs, signal: terminal.stopped },
      write: (mutations, signal) => namespace.write(mutations, { signal }),
      leftOut: (number) => counts.expired.add(number),
      skipped: skipped && ((record) => passOver(record, skipped, counts)),
      advanced: (count) => {
        acknowledged = count;
        return saving.save(stateAt(count, counts));
      },
    });
    progress.at(read, records);
    progress.stop();
    await checkpoint?.remove();
    await report(run, records, counts);
    return exitCodes.done;
  } catch (error) {
    progress.at(read, acknowledged);
    progress.stop();
    const isSaved = await saving.stop(terminal);
    terminal.note(stoppedWith(acknowledged, checkpoint !== undefined && isSaved));
    if (terminal.stopped.aborted) return exitCodes.stopped;
    throw error;
  } finally {
    await skipped?.close();
  }
}

function passOver(record: SkippedRecord, file: SkippedFile, { skipped }: Counts): Promise<void> {
  skipped.add(record.number);
  return file.add(record);
}

function stateAt(records: number, { expired, skipped }: Counts): TransferState {
  return { records, expired: expired.upTo(records), skipped: skipped.upTo(records) };
}

/** Where it begins: at the first record, or where an import before it stopped. */
async function beginning(run: ImportRun): Promise<Beginning> {
  const progress = await progressOf(run);
  const { id } = await run.cluster.namespaces.get(run.words.namespace);
  const checkpoint = await checkpointOf(run, id);
  await checkpoint?.checkWritable();
  const saving = new PacedCheckpoint(checkpoint, run.context.clock);
  const from = await checkpoint?.load();
  const skip = from?.records ?? 0;
  if (skip > 0) run.context.terminal.note(`going on behind record ${skip}, where the last import stopped`);
  const skipped = run.skippedPath === undefined ? undefined : new SkippedFile(run.skippedPath, skip > 0);
  const counts = { expired: new PlacedCount(from?.expired), skipped: new PlacedCount(from?.skipped) };
  return { id, progress, checkpoint, saving, skip, skipped, counts };
}

function stoppedWith(acknowledged: number, isRemembered: boolean): string {
  const goesOn = isRemembered && acknowledged > 0;
  return `stopped with ${acknowledged} records acknowledged${goesOn ? '; run it again to go on' : ''}`;
}

function inputOf({ words, context }: ImportRun, tell: (bytes: number) => void): AsyncIterable<Uint8Array> {
  if (liveStoreOf(words.file) !== undefined) return noBytes();
  const { input, stopped } = context.terminal;
  return counted(isStandardInput(words.file) ? input : fileBytes(words.file, stopped), tell);
}

function progressOf({ words, context: { terminal }, bytes }: ImportRun): Promise<Progress> {
  const title = `import ${words.namespace}`;
  return bytes === undefined ? showCount(terminal, title) : showProgress(terminal, title, bytes);
}

async function report(
  { words, context: { terminal }, skippedPath }: ImportRun,
  records: number,
  counts: Counts,
): Promise<void> {
  const [expired, skipped] = [counts.expired.total, counts.skipped.total];
  const imported = records - expired - skipped;
  if (words.json) {
    const parts = { ...(expired === 0 ? {} : { expired }), ...(skipped === 0 ? {} : { skipped }) };
    return printResult(words, terminal, { records: imported, ...parts }, '');
  }
  const left = expired === 0 ? '' : `, ${expired} left out, as they had expired`;
  const where = skippedPath === undefined ? '' : `, as ${skippedPath} says`;
  const without = skipped === 0 ? '' : `, ${skipped} skipped${where}`;
  await terminal.write(`${imported} records imported${left}${without}\n`);
}

/** Of what cannot be read again, or changes as a store that runs does, nothing is remembered. */
async function checkpointOf({ words, format, bytes }: ImportRun, id: string): Promise<Checkpoint | undefined> {
  if (bytes === undefined) return undefined;
  // What the columns mean is what the records are.
  const kept = format === 'kept-apart' ? [words['from-namespace'] ?? null, words.deletions ?? 'skip'] : [];
  const columns = JSON.stringify([
    ...[words['key-column'], words['value-column'], words.columns, words.database ?? null],
    ...kept,
  ]);
  return new Checkpoint(checkpointPathOf(words), {
    file: await fileIdentity(words.file),
    format,
    columns,
    namespace: id,
  });
}

function checkpointPathOf({ checkpoint, file }: ImportWords): string {
  return checkpoint ?? `${file}.meridian-import`;
}

/** What is read and what is written beside it. */
function filesOf(words: ImportWords, bytes: number | undefined, skippedPath: string | undefined): readonly NamedFile[] {
  const skipped: NamedFile[] = skippedPath === undefined ? [] : [['--skipped', skippedPath]];
  if (bytes === undefined) return skipped;
  const checkpoint = checkpointPathOf(words);
  return [
    ['the input', words.file],
    ['--checkpoint', checkpoint],
    ['the draft of --checkpoint', draftOf(checkpoint)],
    ['the lock of --checkpoint', lockOf(checkpoint)],
    ...skipped,
  ];
}

/** What two imports may not write at once; of a pipe or device nothing is remembered, and nothing can stand beside it. */
async function lockedPaths(
  words: ImportWords,
  bytes: number | undefined,
  skippedPath: string | undefined,
): Promise<readonly string[]> {
  const skipped = skippedPath !== undefined && (await outputKindOf(skippedPath)) === 'file' ? [skippedPath] : [];
  return bytes === undefined ? skipped : [checkpointPathOf(words), ...skipped];
}

function reader(
  run: ImportRun,
  id: string,
  input: AsyncIterable<Uint8Array>,
): AsyncIterable<ImportRecord | UnreadImport> {
  const { words, format, context } = run;
  const unread = (why: UsageError, text: string | Uint8Array): UnreadImport => ({ unread: why, text });
  if (isLiveStore(format)) return liveRecords(format, run, unread);
  const file = recordFileOf(words, format);
  const kept = { namespace: file.namespace ?? id, withDeletions: words.deletions === 'apply' };
  return readRecords(input, { ...file, ...kept, unread, note: context.terminal.note });
}

function skippedPathOf(words: ImportWords, bytes: number | undefined): string | undefined {
  if (words['on-error'] === 'stop') {
    if (words.skipped === undefined) return undefined;
    throw new UsageError('--skipped is for --on-error skip');
  }
  if (words.skipped !== undefined) return words.skipped;
  if (bytes === undefined) {
    const what = isStandardInput(words.file)
      ? 'standard input'
      : liveStoreOf(words.file)
        ? 'a store that runs'
        : words.file;
    throw new UsageError(`--on-error skip of ${what} needs --skipped`);
  }
  return `${words.file}.skipped.ndjson`;
}

/** Stores that run, from which records are read as they answer. */
type LiveStore = 'redis' | 'etcd-live';

function liveStoreOf(file: string): LiveStore | undefined {
  if (file.startsWith('redis://')) return 'redis';
  return /^etcds?:\/\//.test(file) ? 'etcd-live' : undefined;
}

function isLiveStore(format: ImportRun['format']): format is LiveStore {
  return format === 'redis' || format === 'etcd-live';
}

/** @throws UsageError before anything is connected */
function checkLive(words: ImportWords, store: LiveStore): void {
  const { file } = words;
  const ofFiles = Object.keys(recordFileFlags).find((flag) => (words as unknown as Words)[flag] !== undefined);
  if (ofFiles !== undefined) throw new UsageError(`--${ofFiles} is of a file: ${shownUrl(file)} is none`);
  if (store === 'etcd-live') checkEtcdUrl(file);
  else if (!(URL.canParse(file) && /^redis:\/\/[^/?#]*(\/\d*)?$/.test(file)))
    throw new UsageError(`${shownUrl(file)} must read redis://[user:password@]host[:port][/database]`);
  if (!isEncoded(new URL(file))) throw new UsageError('the user and password of an address must be percent-encoded');
}

function isEncoded({ username, password }: URL): boolean {
  try {
    decodeURIComponent(`${username} ${password}`);
    return true;
  } catch {
    return false;
  }
}

/** Few imports need a client of either. */
async function* liveRecords(
  store: LiveStore,
  { words: { file }, context: { terminal, clock } }: ImportRun,
  unread: (why: UsageError, text: string | Uint8Array) => UnreadImport,
): AsyncGenerator<ImportRecord | UnreadImport, void, undefined> {
  const asked = { url: file, clock, signal: terminal.stopped, unread };
  if (store === 'etcd-live') {
    yield* readEtcd({ ...asked, environment: terminal.environment });
    return;
  }
  const { readRedis } = await import('../transfer/redis-source.ts');
  let others = 0;
  const passedBy = (keys: number) => {
    others += keys;
  };
  try {
    yield* readRedis({ ...asked, passedBy });
  } finally {
    if (others > 0) terminal.note(`${others} keys that hold no string are left out`);
  }
}

async function* noBytes(): AsyncGenerator<Uint8Array, void, undefined> {}

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

/** Undefined where it has none. @throws what systemFailure makes where nothing can be read there */
async function sizeOf(path: string): Promise<number | undefined> {
  if (isStandardInput(path) || isDescriptor(path) || liveStoreOf(path) !== undefined) return undefined;
  const found = await stat(path).catch((error: Error) => {
    throw systemFailure('the file cannot be read', error);
  });
  if (found.isDirectory()) throw new UsageError(`${path} is a folder, and no file`);
  return found.isFile() ? found.size : undefined;
}
