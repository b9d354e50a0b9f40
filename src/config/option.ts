import type { ValueMode } from '../model/feed.ts';
import type { LogLevels } from '../model/log-levels.ts';
import type { CertificateRights } from '../model/token.ts';

/** Who an option configures: a node of either role, or the command line as a client. */
export type Target = (typeof targets)[number];

export const targets = ['origin', 'edge', 'client'] as const;

/** What each kind of option reads as, once its text is understood. */
export interface KindValues {
  readonly string: string;
  /** A folder or file. */
  readonly path: string;
  readonly boolean: boolean;
  readonly integer: number;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds. */
  readonly duration: number;
  readonly address: Address;
  /** Degrees north, degrees east. */
  readonly location: readonly [number, number];
  readonly values: ValueMode;
  readonly range: TitledRange;
  readonly pattern: string;
  readonly database: MappedDatabase;
  readonly certificate: CertificateRights;
  readonly levels: LogLevels;
  /** An absolute URL of HTTP. */
  readonly url: string;
  /** From 0 to 1. */
  readonly share: number;
  /** The URL of a database; may hold a password. */
  readonly store: string;
}

export type Kind = keyof KindValues;

/** A place in the network. Port 0, where one may listen on it, is a port that the machine chooses. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The keys of the namespace of that title that start with `prefix`; `'*'` is every namespace, then the prefix is empty. */
export interface TitledRange {
  readonly title: string;
  readonly prefix: string;
}

/** The namespace, by title or id, that stands for a numbered database of Redis. */
export interface MappedDatabase {
  readonly number: number;
  readonly namespace: string;
}

/**
 * One row of the option table. Texts of values, defaults included, are as a user writes them in a flag, a variable or a
 * file; nothing but parse-value.ts turns them into values.
 */
export interface Option {
  /** The flag without its dashes, the key in a file, and, in capitals behind MERIDIAN_, the variable. */
  readonly flag: string;
  readonly kind: Kind | { readonly oneOf: readonly string[] };
  /** Several, in order: the flag takes many words, the variable separates them by commas. */
  readonly list?: true;
  readonly targets: readonly Target[];
  /** One text for all targets or one for each; unset = no value, or, with `required`, none may be missing. */
  readonly default?: string | Readonly<Partial<Record<Target, string>>>;
  readonly required?: true;
  /** A secret, which for these comes from the environment alone: a list of processes shows flags to everybody. */
  readonly environmentOnly?: readonly Target[];
  /** Least and greatest, for integers, and in milliseconds for durations. */
  readonly between?: readonly [number, number];
  /** Heading in the help. */
  readonly group: string;
  /** What it does, its unit, and what more or less of it costs. */
  readonly help: string;
}

/** The environment variable of an option. */
export function variableOf(option: Pick<Option, 'flag'>): string {
  return `MERIDIAN_${option.flag.toUpperCase().replaceAll('-', '_')}`;
}

/** Whether the option is a flag, and a key of a file, for this target. */
export function isFlag(option: Option, target: Target): boolean {
  return option.environmentOnly?.includes(target) !== true;
}

/** The default's text for one target, or undefined where there is none. */
export function defaultOf(option: Option, target: Target): string | undefined {
  return typeof option.default === 'string' ? option.default : option.default?.[target];
}
