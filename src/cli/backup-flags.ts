import type { BackupTarget } from '../backup/backup-target.ts';
import type { CommandContext } from './command.ts';

/** The flag of whoever reads backups. */
export const fromFlag = {
  from: {
    type: 'string',
    demandOption: true,
    requiresArg: true,
    describe: 'Where the backups are: a folder, or s3://bucket/prefix',
  },
} as const;

/** Milliseconds for which whoever reads backups asks a bucket again. */
export const readRetryMs = 60_000;

/** Opens where backups are, and tells whatever it is tried again after. @throws INVALID_ARGUMENT */
export async function openTarget(place: string, context: CommandContext, retryMs: number): Promise<BackupTarget> {
  const { openBackupTarget } = await import('../node/backups.ts');
  const { clock, random, terminal } = context;
  const failed = ({ message }: Error) => terminal.note(`${message}; trying again`);
  const { environment, stopped: signal } = terminal;
  return openBackupTarget({ place, environment, clock, random, signal, retryMs, failed });
}
