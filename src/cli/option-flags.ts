import type { Argv, Options } from 'yargs';
import type { ConfigOf } from '../config/config.ts';
import { readConfigFile } from '../config/file.ts';
import { defaultOf, isFlag, type Option, type Target, variableOf } from '../config/option.ts';
import { optionsOf } from '../config/options.ts';
import { kindName } from '../config/parse-value.ts';
import { resolveConfig } from '../config/resolve.ts';
import { isMeridianError } from '../model/errors.ts';
import { UsageError } from './usage-error.ts';

/** The words that a command was given, by their flags. */
export type Words = Readonly<Record<string, unknown>>;

/** Adds the rows of the option table as flags, with `--config`. Values stay texts: the table alone understands them. */
export function withOptions(parser: Argv, target: Target): Argv {
  const rows = optionsOf(target).filter(([, option]) => isFlag(option, target));
  const flags = rows.map(([, option]) => [option.flag, flagOf(option, target)] as const);
  return parser.options(Object.fromEntries(flags)).option('config', {
    type: 'string',
    requiresArg: true,
    group: target === 'client' ? 'Connection:' : 'Identity:',
    describe: 'YAML file of options, by the names of their flags [MERIDIAN_CONFIG]. A flag or variable wins over it.',
  });
}

function flagOf(option: Option, target: Target): Options {
  const fallback = defaultOf(option, target);
  const shown = option.required
    ? 'required'
    : fallback === undefined || fallback === ''
      ? 'default: none'
      : `default: ${fallback}`;
  const [value, variable] = [kindName(option), variableOf(option)];
  const describe = `${option.help} [${
    option.list ? `${value} …; ${shown}; ${variable}, by commas` : `${value}; ${shown}; ${variable}`
  }]`;
  const group = `${option.group}:`;
  if (option.kind === 'boolean') return { type: 'boolean', describe, group };
  if (!option.list) return { type: 'string', requiresArg: true, describe, group };
  // Words behind a client's flag may be the command's own, so there each word has a flag of its own.
  const each = target === 'client' ? { nargs: 1 } : {};
  return { type: 'string', array: true, requiresArg: true, describe, group, ...each };
}

/** @throws UsageError in one line, where a flag, variable or file is wrong */
export async function readConfig<T extends Target>(
  target: T,
  words: Words,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ConfigOf<T>> {
  const path = words['config'] ?? env['MERIDIAN_CONFIG'];
  try {
    const file = typeof path === 'string' && path !== '' ? await readConfigFile(path) : {};
    return resolveConfig(target, { flags: words, env, file });
  } catch (error) {
    if (isMeridianError(error, 'INVALID_ARGUMENT')) throw new UsageError(error.message, error);
    throw error;
  }
}
