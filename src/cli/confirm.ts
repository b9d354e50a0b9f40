import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/**
 * Asks on standard error before something that cannot be undone, and reads one line.
 * @throws UsageError where nobody is there to ask, or the answer is not yes
 */
export async function confirm(question: string, { note, input, inputIsKeyboard }: Terminal): Promise<void> {
  if (!inputIsKeyboard) throw new UsageError('this cannot be undone: say --yes');
  note(`${question} Type yes to go on:`);
  for await (const typed of input) {
    if (Buffer.from(typed).toString().trim() === 'yes') return;
    break;
  }
  throw new UsageError('nothing was changed');
}

/** The flag that answers instead. */
export const yesFlag = { yes: { type: 'boolean', default: false, describe: 'Do not ask' } } as const;
