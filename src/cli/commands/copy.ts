import type { Argv } from 'yargs';
import type { ClusterHandle } from '../../client/cluster-handle.ts';
import type { Namespace } from '../../client/namespace.ts';
import { MeridianError } from '../../model/errors.ts';
import type { Durability } from '../../model/key-value.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command, CommandContext } from '../command.ts';
import { damagedNote } from '../damaged-note.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { type OtherSideWords, otherSideFlags, otherSideLists, withOtherSide } from '../other-side.ts';
import { itemPrinter, printResult } from '../print-result.ts';
import { type ReadWords, readOptionsOf, withReadOptions } from '../read-flags.ts';
import { readingOf } from '../reading-flags.ts';
import { Checkpoint } from '../transfer/checkpoint.ts';
import { type Copied, type CopyPlan, copyRecords } from '../transfer/copy-records.ts';
import { PacedCheckpoint } from '../transfer/paced-checkpoint.ts';
import { showCount } from '../transfer/progress.ts';
import { keysPatiently } from '../transfer/read-patiently.ts';
import { withTransferLock } from '../transfer/transfer-lock.ts';
import { type TransferWords, transferBoundsOf, transferFlags } from '../transfer-flags.ts';
import { UsageError } from '../usage-error.ts';
import { durabilityFlag, shortOf, type WriteWords, writeOptionsOf } from '../write-flags.ts';

interface CopyWords extends ClientWords, ReadWords, OtherSideWords, TransferWords, Pick<WriteWords, 'durability'> {
  readonly namespace: string;
  readonly target: string;
  readonly prefix: string;
  readonly 'to-prefix': string | undefined;
  readonly 'dry-run': boolean;
  readonly checkpoint?: string | undefined;
}

type Verb = 'copy' | 'move';
const done: Readonly<Record<Verb, string>> = { copy: 'copied', move: 'moved' };

export const copyCommand: Command<CopyWords> = {
  usage: 'copy <namespace> <target>',
  describe: 'Copy all keys, or those of a prefix, into another namespace, also of another cluster',
  lists: otherSideLists,
  build: (parser) =>
    withCopyOptions(parser)
      .option('checkpoint', {
        type: 'string',
        requiresArg: true,
        describe:
          'File that remembers how far it came; interrupted, the same command goes on there. Removed in the end',
      })
      .example('$0 copy flags flags-test --prefix beta/', 'with metadata and expiry; versions are new')
      .example('$0 copy flags flags --to-config eu.yaml', 'into another cluster') as Argv<CopyWords>,
  run: (words, context) => runCopy('copy', words, context),
};

export const moveCommand: Command<CopyWords> = {
  usage: 'move <namespace> <target>',
  describe: 'As copy; and each key that is acknowledged there is deleted here, if it did not change meanwhile',
  lists: otherSideLists,
  build: (parser) =>
    withCopyOptions(parser)
      .example('$0 move flags flags --prefix old/ --to-prefix new/', 'rename a prefix')
      .example('$0 move flags archive --prefix 2025/ --dry-run', 'which keys would go where') as Argv<CopyWords>,
  run: (words, context) => runCopy('move', words, context),
};

function withCopyOptions(parser: Argv): Argv<unknown> {
  return withReadOptions(withClientOptions(parser))
    .positional('namespace', { type: 'string', demandOption: true, describe: 'Title or id of the source' })
    .positional('target', { type: 'string', demandOption: true, describe: 'Title or id of the target' })
    .options({
      prefix: { type: 'string', default: '', describe: 'Only keys that start so' },
      'to-prefix': { type: 'string', describe: 'What stands in place of --prefix at the target. Default: the same' },
      'dry-run': { type: 'boolean', default: false, describe: 'Print the keys, and write nothing' },
      ...otherSideFlags,
      ...transferFlags,
      ...durabilityFlag,
    });
}

interface CopyRun {
  readonly verb: Verb;
  readonly words: CopyWords;
  readonly toPrefix: string;
  readonly context: CommandContext;
  readonly source: Namespace;
  readonly target: Namespace;
  /** Which namespaces those are. */
  readonly ids: { readonly source: string; readonly target: string };
  readonly bounds: { readonly concurrency: number; readonly retryMs: number };
}

async function runCopy(verb: Verb, words: CopyWords, context: CommandContext): Promise<ExitCode> {
  const bounds = transferBoundsOf(words);
  const toPrefix = words['to-prefix'] ?? words.prefix;
  return withCluster(words, context, (from) =>
    withOtherSide(words, context, async (to) => {
      const ids = { source: await idOf(from, words.namespace), target: await idOf(to, words.target) };
      refuseOverlap(verb, words, toPrefix, ids);
      const [source, target] = [from.namespace(words.namespace), to.namespace(words.target)];
      const run = { verb, words, toPrefix, context, source, target, ids, bounds };
      if (words['dry-run']) return showKeys(run);
      return withTransferLock(words.checkpoint === undefined ? [] : [words.checkpoint], context.clock, () =>
        copyKeys(run),
      );
    }),
  );
}

async function idOf({ namespaces }: ClusterHandle, name: string): Promise<string> {
  return (await namespaces.get(name)).id;
}

/** Ids are drawn at random, so that two clusters never have the same one, unless both began from one backup. */
function refuseOverlap(verb: Verb, { prefix }: CopyWords, toPrefix: string, ids: CopyRun['ids']): void {
  if (ids.source !== ids.target || !(prefix.startsWith(toPrefix) || toPrefix.startsWith(prefix))) return;
  const [from, to] = [JSON.stringify(prefix), JSON.stringify(toPrefix)];
  throw new UsageError(
    `to ${verb} ${from} to ${to} of the same namespace ${ids.source}, neither may begin with the other: give another --to-prefix`,
  );
}

async function showKeys({ verb, words, toPrefix, context, source }: CopyRun): Promise<ExitCode> {
  const { terminal } = context;
  const { prefix } = words;
  const printer = await itemPrinter(words, terminal);
  let count = 0;
  for await (const { name } of keysPatiently(source, readingOf(words, context), { ...readOptionsOf(words), prefix })) {
    count++;
    const to = toPrefix + name.slice(prefix.length);
    await printer.print([{ item: { key: name, to }, text: name === to ? name : `${name} → ${to}` }]);
  }
  await printer.end();
  if (!words.json) terminal.note(`${count} keys would be ${done[verb]}`);
  return exitCodes.done;
}

async function copyKeys(run: CopyRun): Promise<ExitCode> {
  const { verb, words, context } = run;
  const { terminal, clock } = context;
  const progress = await showCount(terminal, `${verb} ${words.namespace}`);
  const checkpoint = checkpointOf(run);
  await checkpoint?.checkWritable();
  const saving = new PacedCheckpoint(checkpoint, clock);
  const from = await checkpoint?.load();
  if (from !== undefined) terminal.note(`going on behind key ${from.records}, where the last copy stopped`);
  let acknowledged = from?.records ?? 0;
  const advanced: CopyPlan['advanced'] = async (records, goOn) => {
    acknowledged = records;
    progress.at(records, records);
    if (goOn !== undefined) await saving.save(goOn);
  };
  const problems = { changed: 0 };
  try {
    const copied = await copyRecords({ ...planOf(run, problems), from, advanced });
    progress.stop();
    await checkpoint?.remove();
    await report(run, copied, problems);
    return problems.changed + copied.damaged === 0 ? exitCodes.done : exitCodes.failed;
  } catch (error) {
    progress.stop();
    const isSaved = await saving.stop(terminal);
    terminal.note(stoppedWith(run, acknowledged, isSaved));
    if (terminal.stopped.aborted) return exitCodes.stopped;
    throw error;
  }
}

interface Problems {
  changed: number;
}

/** Each problem is told of at once, and counted. */
function planOf(run: CopyRun, problems: Problems): Omit<CopyPlan, 'advanced'> {
  const { verb, words, toPrefix, context, source, target, bounds } = run;
  const { terminal, clock, random } = context;
  return {
    ...{ source, target, prefix: words.prefix, toPrefix, isMove: verb === 'move', clock, random, ...bounds },
    ...{
      reading: readingOf(words, context),
      read: readOptionsOf(words),
      write: writeOptionsOf(words),
      signal: terminal.stopped,
    },
    checkLevel: (reached) => checkLevel(words, reached),
    onDamaged: (key) => terminal.note(damagedNote(key, words.json)),
    onChanged: (key) => {
      problems.changed++;
      terminal.note(changedNote(key, words));
    },
  };
}

function checkpointOf({ words, ids, toPrefix }: CopyRun): Checkpoint | undefined {
  const { checkpoint: path, prefix } = words;
  return path === undefined ? undefined : new Checkpoint(path, { ...ids, prefix, toPrefix });
}

/** A level that was not reached in time is no acknowledgement: the batch is written again, and nothing is deleted. */
function checkLevel(words: CopyWords, reached: Durability): void {
  const short = shortOf(words, reached);
  if (short !== undefined) throw new MeridianError('UNAVAILABLE', short, { reason: 'durability-not-reached' });
}

function stoppedWith({ verb, words }: CopyRun, acknowledged: number, isSaved: boolean): string {
  const goesOn = verb === 'move' || (words.checkpoint !== undefined && isSaved);
  const anew = 'run again it begins anew, unless --checkpoint is given';
  return `stopped with ${acknowledged} keys ${done[verb]}; ${goesOn ? 'run it again to go on' : anew}`;
}

function changedNote(key: string, { json }: CopyWords): string {
  if (json) return JSON.stringify({ changed: key });
  return `${JSON.stringify(key)} changed or went away meanwhile: it is not deleted here, and what is there is as it was before`;
}

async function report(
  { verb, words, context: { terminal } }: CopyRun,
  { records, expired, damaged }: Copied,
  { changed }: Problems,
): Promise<void> {
  const counts = { ...(expired ? { expired } : {}), ...(changed ? { changed } : {}), ...(damaged ? { damaged } : {}) };
  const parts = [
    `${records} keys ${done[verb]}`,
    ...(expired === 0 ? [] : [`${expired} of them left out, as they had expired`]),
    ...(changed === 0 ? [] : [`${changed} of them not deleted here, as they changed meanwhile: run it again`]),
    ...(damaged === 0 ? [] : [`${damaged} damaged ones passed by`]),
  ];
  await printResult(words, terminal, { [done[verb]]: records, ...counts }, parts.join(', '));
}
