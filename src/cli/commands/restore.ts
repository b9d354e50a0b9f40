import type { Argv } from 'yargs';
import { loggerTo } from '../../runtime/logger.ts';
import { fromFlag, openTarget, readRetryMs } from '../backup-flags.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { type OutputWords, outputFlags, printResult } from '../print-result.ts';
import { countRecords } from '../transfer/progress.ts';
import { UsageError } from '../usage-error.ts';

interface RestoreWords extends OutputWords {
  readonly from: string;
  readonly data: string;
  readonly at: string | undefined;
}

export const restoreCommand: Command<RestoreWords> = {
  usage: 'restore',
  describe: "Make an origin's data folder from a backup",
  build: (parser) =>
    parser
      .options({
        ...fromFlag,
        data: {
          type: 'string',
          demandOption: true,
          requiresArg: true,
          describe: 'Data folder; empty, or not there yet',
        },
        at: {
          type: 'string',
          requiresArg: true,
          describe: 'The last backup that was taken by then, such as 2026-11-29T08:00:00Z. Default: the last',
        },
        ...outputFlags,
      })
      .example(
        '$0 restore --from backups --data data/origin',
        'then start the origin over that folder',
      ) as Argv<RestoreWords>,
  run: async ({ from, data, at, ...words }, context) => {
    const { terminal, clock, random } = context;
    const atMs = at === undefined ? undefined : timeOf(at);
    const { restoreBackup } = await import('../../node/backups.ts');
    const count = await countRecords(terminal, 'restore');
    const logger = loggerTo((_level, message) => terminal.note(message));
    const restored = await restoreBackup({
      ...{ target: await openTarget(from, context, readRetryMs), data, atMs, received: count.received },
      outside: { clock, random, logger },
    }).finally(() => count.stop());
    const taken = new Date(restored.takenMs).toISOString();
    const { id, clusterId } = restored;
    const records = count.total();
    const text = `${id} is restored, as of ${taken}: ${records} records. Start the origin: meridian origin --data ${data}`;
    await printResult(words, terminal, { id, taken, clusterId, records }, text);
    return exitCodes.done;
  },
};

/** With its zone, so that it means one moment. */
function timeOf(text: string): number {
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new UsageError(`--at must be a time with its zone, such as 2026-11-29T08:00:00Z; it is "${text}"`);
}
