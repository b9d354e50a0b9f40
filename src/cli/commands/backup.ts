import type { Argv } from 'yargs';
import type { BackupSummary } from '../../backup/manifest.ts';
import { formatAddress } from '../../config/parse-address.ts';
import { isMeridianError, MeridianError, toMeridianError } from '../../model/errors.ts';
import type { BackupRun } from '../../node/backups.ts';
import { sleep } from '../../runtime/clock.ts';
import { fromFlag, openTarget, readRetryMs } from '../backup-flags.ts';
import { readClientTls, readClientToken } from '../client-access.ts';
import { type ClientWords, withClientOptions } from '../client-command.ts';
import { type Choose, type Command, type CommandContext, install } from '../command.ts';
import { durationOf } from '../duration-flag.ts';
import { exitCodes } from '../exit-code.ts';
import { readConfig, type Words } from '../option-flags.ts';
import { type OutputWords, outputFlags, printAll, printResult } from '../print-result.ts';
import { table } from '../table.ts';
import { countRecords } from '../transfer/progress.ts';
import { UsageError } from '../usage-error.ts';

interface BackupWords extends ClientWords {
  readonly to: string;
  readonly every: string | undefined;
  readonly keep: string | undefined;
  readonly whole: boolean;
  readonly retry: string;
}

const takeCommand: Command<BackupWords> = {
  usage: '$0',
  describe:
    'Back up a running origin, or an edge that copies everything: what came since the last backup there, or all',
  build: (parser) =>
    withClientOptions(parser)
      .options({
        to: {
          type: 'string',
          demandOption: true,
          requiresArg: true,
          describe: 'Where the backups are: a folder, or s3://bucket/prefix',
        },
        every: {
          type: 'string',
          requiresArg: true,
          describe: 'Go on, and take one each time so much has passed; until SIGTERM',
        },
        keep: {
          type: 'string',
          requiresArg: true,
          describe: 'Remove what no time since then needs, such as 7d; a whole one is taken as often',
        },
        whole: { type: 'boolean', default: false, describe: 'Take everything, whatever was backed up before' },
        retry: {
          type: 'string',
          default: '60s',
          requiresArg: true,
          describe: 'For how long it is tried again while no node, or no bucket, answers',
        },
      })
      .example(
        '$0 backup --to backups --every 1h --keep 7d',
        'any hour of the last seven days can be restored',
      ) as Argv<BackupWords>,
  run: async (words, context) => {
    const everyMs = words.every === undefined ? undefined : durationOf('--every', words.every);
    if (everyMs === 0)
      throw new UsageError('--every must be longer than 0: one would be taken after another without end');
    const keepMs = words.keep === undefined ? undefined : durationOf('--keep', words.keep);
    if (everyMs === undefined) await takeOne(words, keepMs, context);
    else await takeEach(everyMs, context, () => takeOne(words, keepMs, context));
    return exitCodes.done;
  },
};

/**
 * Takes one each time so much has passed, until the process is told to stop. Once one was taken it goes on whatever keeps the
 * next ones from being taken: that may be over by then, or be mended. Before the first one, what is refused ends it: those who
 * begin a schedule are there to see it. @throws what the first one is refused for
 */
async function takeEach(everyMs: number, { clock, terminal }: CommandContext, take: () => Promise<void>) {
  const { stopped } = terminal;
  for (let isProven = false; !stopped.aborted; ) {
    const begunMs = clock.monotonicMs();
    try {
      await take();
      isProven = true;
    } catch (error) {
      if (stopped.aborted) return;
      if (!isProven && isRefusal(error)) throw error;
      terminal.note(`this backup failed, the schedule goes on: ${toMeridianError(error).message}`);
    }
    const restMs = Math.max(0, begunMs + everyMs - clock.monotonicMs());
    await sleep(clock, restMs, stopped).catch(() => {});
  }
}

function isRefusal(error: unknown): boolean {
  return (
    error instanceof UsageError ||
    isMeridianError(error, 'INVALID_ARGUMENT') ||
    isMeridianError(error, 'FAILED_PRECONDITION')
  );
}

/** What is read of files is read anew for each backup: tokens and certificates are renewed. */
async function backupRunOf(
  words: BackupWords,
  context: CommandContext,
  keepMs: number | undefined,
): Promise<Omit<BackupRun, 'received'>> {
  // Other commands start without what TLS needs.
  const { clientTls } = await import('../../client/tls-options.ts');
  const { clock, random, terminal } = context;
  const retryMs = durationOf('--retry', words.retry);
  const config = await readConfig('client', words as unknown as Words, terminal.environment);
  return {
    target: await openTarget(words.to, context, retryMs),
    addresses: config.endpoints.map(formatAddress),
    token: await readClientToken(config),
    tls: clientTls(await readClientTls(config)),
    clock,
    random,
    signal: terminal.stopped,
    whole: words.whole,
    ...(keepMs === undefined ? {} : { chainMsMax: keepMs }),
    retryMs,
    failed: ({ message }) => terminal.note(`${message}; trying again`),
  };
}

async function takeOne(words: BackupWords, keepMs: number | undefined, context: CommandContext): Promise<void> {
  const { clock, terminal } = context;
  const run = await backupRunOf(words, context, keepMs);
  const { backUp, prune, summaryOf } = await import('../../node/backups.ts');
  const count = await countRecords(terminal, 'backup');
  const manifest = await backUp({ ...run, received: count.received }).finally(() => count.stop());
  const summary = summaryOf(manifest);
  await printResult(words, terminal, summary, describe(summary));
  if (keepMs === undefined) return;
  for (const id of await prune(run.target, keepMs, clock)) terminal.note(`removed ${id}`);
}

interface VerifyWords extends OutputWords {
  readonly from: string;
}

const verifyCommand: Command<VerifyWords> = {
  usage: 'verify',
  describe: 'Read every backup in a folder to its end; ends with 1 where one could not be restored',
  build: (parser) =>
    parser
      .options({
        ...fromFlag,
        ...outputFlags,
      })
      .example('$0 backup verify --from backups', '') as Argv<VerifyWords>,
  run: async ({ from, ...words }, context) => {
    const { terminal } = context;
    const { summaryOf, verifyBackups } = await import('../../node/backups.ts');
    const rows: string[][] = [];
    const found: object[] = [];
    let isWhole = true;
    for await (const { manifest, fault } of verifyBackups(await openTarget(from, context, readRetryMs))) {
      isWhole &&= fault === undefined;
      const summary = summaryOf(manifest);
      found.push({ ...summary, ...(fault === undefined ? {} : { fault }) });
      rows.push([
        summary.id,
        summary.taken,
        summary.base ?? 'whole',
        `${summary.records}`,
        `${summary.bytes}`,
        fault ?? 'ok',
      ]);
    }
    if (rows.length === 0) throw new MeridianError('NOT_FOUND', `${from} holds no backup`, { reason: 'no-backup' });
    const headings = ['backup', 'as of', 'goes on from', 'records', 'bytes', 'state'];
    await printAll(words, terminal, found, () => table(headings, rows));
    return isWhole ? exitCodes.done : exitCodes.failed;
  },
};

function describe({ id, base, taken, records, bytes }: BackupSummary): string {
  return `${id}: ${base === undefined ? 'whole' : `since ${base}`}, ${records} records in ${bytes} bytes, as of ${taken}`;
}

/** `backup`, `backup verify`. */
export function installBackupCommands(parser: Argv, choose: Choose): Argv {
  return parser.command('backup', 'Back up a running origin; verify backups', (group) =>
    install(install(group, takeCommand, choose), verifyCommand, choose),
  );
}
