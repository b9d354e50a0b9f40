import type { Argv } from 'yargs';
import type { ConditionOptions, WriteOptions } from '../client/call-options.ts';
import { type Durability, durabilities } from '../model/key-value.ts';
import { parseStamp } from '../model/stamp.ts';
import { UsageError } from './usage-error.ts';

/** The flags that put and delete share. */
export interface WriteWords {
  readonly 'if-absent'?: boolean;
  readonly 'if-version'?: string | undefined;
  readonly durability?: Durability | undefined;
}

export const durabilityFlag = {
  durability: {
    choices: durabilities,
    requiresArg: true,
    describe:
      'On how many origins’ disks it is before it is acknowledged; default: the cluster’s. Waits as long as --timeout permits, and says which level was reached where that is a lower one',
  },
} as const;

export function withWriteOptions<T>(parser: Argv<T>): Argv<T & WriteWords> {
  return parser.options({
    'if-absent': { type: 'boolean', describe: 'Only if the key has no value; else FAILED_PRECONDITION' },
    'if-version': { type: 'string', requiresArg: true, describe: 'Only if the value has this version' },
    ...durabilityFlag,
  }) as Argv<T & WriteWords>;
}

export function conditionOf(words: WriteWords): ConditionOptions {
  const version = words['if-version'];
  if (words['if-absent'] === true && version !== undefined) {
    throw new UsageError('--if-absent and --if-version exclude each other');
  }
  if (words['if-absent'] === true) return { ifAbsent: true };
  if (version === undefined) return {};
  if (parseStamp(version) === undefined) {
    throw new UsageError(`--if-version must be 32 lower-case hex digits; it is "${version}"`);
  }
  return { ifVersion: version };
}

export function writeOptionsOf({ durability }: Pick<WriteWords, 'durability'>): WriteOptions {
  return durability === undefined ? {} : { durability };
}

/** What is to be said where the level asked for was not reached in time: the write is made all the same. */
export function shortOf({ durability: asked }: WriteWords, reached: Durability): string | undefined {
  if (asked === undefined || durabilities.indexOf(reached) >= durabilities.indexOf(asked)) return undefined;
  return `written, but ${asked} was not reached in time: it is durable at level ${reached} so far`;
}
