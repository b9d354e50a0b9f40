import type { Argv } from 'yargs';
import type { ReadOptions } from '../client/call-options.ts';
import { parseDuration } from '../config/parse-duration.ts';
import { UsageError } from './usage-error.ts';

/** The flags that reading commands share. */
export interface ReadWords {
  readonly 'max-staleness'?: string | undefined;
  readonly 'at-origin'?: boolean;
}

export function withReadOptions<T>(parser: Argv<T>): Argv<T & ReadWords> {
  return parser.options({
    'max-staleness': {
      type: 'string',
      requiresArg: true,
      describe: 'Greatest proven age that is accepted, such as 5s; 0 asks the origin. Default: the node’s own',
    },
    'at-origin': { type: 'boolean', describe: 'The answer must come from an origin' },
  }) as Argv<T & ReadWords>;
}

export function readOptionsOf(words: ReadWords): ReadOptions {
  const text = words['max-staleness'];
  const ms = text === undefined ? undefined : parseDuration(text);
  if (text !== undefined && ms === undefined) {
    throw new UsageError(`--max-staleness must be a duration with its unit, such as 250ms or 60s; it is "${text}"`);
  }
  return {
    ...(ms === undefined ? {} : { maxStaleness: ms / 1000 }),
    ...(words['at-origin'] === true ? { atOrigin: true } : {}),
  };
}
