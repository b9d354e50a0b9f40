import { MeridianError } from '../model/errors.ts';
import type { ConfigOf } from './config.ts';
import { defaultOf, isFlag, type Option, type Target, targets, variableOf } from './option.ts';
import { optionsOf } from './options.ts';
import { expectation, holdsPassword, parseValue } from './parse-value.ts';

/** Texts from outside, each by the name that its source uses: flags and file keys as in the table, variables in capitals. */
export interface Sources {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file: Readonly<Record<string, unknown>>;
}

/** Fields that say the same in two ways. The one from the nearer source counts, as it does of one field. */
const alternatives = [
  ['token', 'tokenFile'],
  ['adminToken', 'adminTokenFile'],
] as const;

interface Given {
  readonly value: unknown;
  /** Of flag, environment and file, the nearest first. */
  readonly place: 0 | 1 | 2;
  /** How the user named it: `--name`, `MERIDIAN_NAME`, `name in FILE`. */
  readonly where: string;
}

/**
 * Every option of the target, from flag, else environment, else file, else default.
 * @throws INVALID_ARGUMENT with one line that names the option as it was given, the value, and what it must be
 */
export function resolveConfig<T extends Target>(target: T, sources: Sources): ConfigOf<T> {
  const rows = optionsOf(target);
  checkFileKeys(target, sources.file);
  const all = new Map(rows.map(([field, option]) => [field as string, given(option, target, sources)]));
  for (const pair of alternatives) dropFarther(all, pair);
  const config = Object.fromEntries(
    rows.map(([field, option]) => [field, resolveOption(option, target, all.get(field))]),
  );
  return config as ConfigOf<T>;
}

/** Where both come from one source, both stay: whoever reads them says that one is to be given. */
function dropFarther(all: Map<string, Given | undefined>, [one, other]: readonly [string, string]): void {
  const [first, second] = [all.get(one), all.get(other)];
  if (first === undefined || second === undefined || first.place === second.place) return;
  all.set(first.place < second.place ? other : one, undefined);
}

function given(option: Option, target: Target, { flags, env, file }: Sources): Given | undefined {
  const flag = isFlag(option, target) ? flags[option.flag] : undefined;
  if (flag !== undefined) {
    checkShown(option, flag);
    return { value: flag, place: 0, where: `--${option.flag}` };
  }
  const variable = variableOf(option);
  const text = env[variable];
  // Container tools pass on what is unset as empty.
  if (text !== undefined && text !== '') {
    return { value: option.list ? splitList(text) : text, place: 1, where: variable };
  }
  const entry = isFlag(option, target) ? file[option.flag] : undefined;
  return entry === undefined || entry === null
    ? undefined
    : { value: entry, place: 2, where: `"${option.flag}" in the file` };
}

function resolveOption(option: Option, target: Target, from: Given | undefined): unknown {
  if (from !== undefined) return option.list ? parseList(option, from) : parseOne(option, from);
  const text = defaultOf(option, target);
  if (text === undefined) {
    if (option.required) throw usage(`--${option.flag} is missing: ${option.help}`);
    return undefined;
  }
  const fallback = { value: option.list ? splitList(text) : text, where: `the default of --${option.flag}` };
  return option.list ? parseList(option, fallback) : parseOne(option, fallback);
}

function parseList(option: Option, { value, where }: Pick<Given, 'value' | 'where'>): readonly unknown[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (option.required && items.length === 0) throw usage(`${where} needs at least one value`);
  return items.map((item) => parseOne(option, { value: item, where }));
}

function parseOne(option: Option, { value, where }: Pick<Given, 'value' | 'where'>): unknown {
  if (Array.isArray(value)) throw usage(`${where} may be given only once`);
  const isText = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  const parsed = isText ? parseValue(option, String(value)) : undefined;
  if (parsed !== undefined) return parsed;
  // A URL that cannot be read may hold a password somewhere.
  const seen = option.kind === 'store' ? 'it is not shown here' : `it is ${JSON.stringify(value)}`;
  throw usage(`${where} must be ${expectation(option)}; ${seen}`);
}

/** A list of processes shows flags to everybody. @throws INVALID_ARGUMENT */
function checkShown(option: Option, flag: unknown): void {
  if (option.kind !== 'store' || typeof flag !== 'string' || parseValue(option, flag) === undefined) return;
  if (!holdsPassword(flag)) return;
  throw usage(
    `--${option.flag} holds a password, which a list of processes shows: give it as ${variableOf(option)}, in the file of ` +
      '--config, in PGPASSWORD, or in ~/.pgpass',
  );
}

/** A client may be pointed at the file of the node beside it (by the variable, in its container): it takes what is its. */
function checkFileKeys(target: Target, file: Readonly<Record<string, unknown>>): void {
  const known = new Set((target === 'client' ? targets : [target]).flatMap(fileKeysOf));
  const unknown = Object.keys(file).find((key) => !known.has(key));
  if (unknown !== undefined) throw usage(`the configuration file names "${unknown}", which is no option of ${target}`);
}

function fileKeysOf(target: Target): readonly string[] {
  return optionsOf(target).flatMap(([, option]) => (isFlag(option, target) ? [option.flag] : []));
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function usage(message: string): MeridianError {
  return new MeridianError('INVALID_ARGUMENT', message, { reason: 'bad-option' });
}
