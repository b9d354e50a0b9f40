import type { CommandContext } from './command.ts';
import { durationOf } from './duration-flag.ts';
import type { Reading } from './transfer/read-patiently.ts';

/** The flag of whoever reads many pages. */
export interface ReadingWords {
  readonly retry: string;
}

export const readingFlags = {
  retry: {
    type: 'string',
    requiresArg: true,
    default: '30s',
    describe: 'For how long, behind the first page, one is asked for again while no node answers',
  },
} as const;

/** @throws UsageError */
export function readingOf(
  { retry, json }: ReadingWords & { readonly json: boolean },
  { terminal, clock, random }: CommandContext,
): Reading {
  const retrying: Reading['retrying'] = ({ code, message }) =>
    terminal.note(json ? JSON.stringify({ retrying: { code, message } }) : `${message}; trying again`);
  return { retryMs: durationOf('--retry', retry), clock, random, signal: terminal.stopped, retrying };
}
