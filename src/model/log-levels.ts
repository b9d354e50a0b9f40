/** From the most that may be logged to the least. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;

export type LogLevel = (typeof logLevels)[number];

/** Parts of a node whose lines can have a level of their own. */
export const logModules = [
  'node',
  'access',
  'store',
  'merge',
  'feed',
  'audit',
  'rpc',
  'http',
  'redis',
  'workers',
] as const;

export type LogModule = (typeof logModules)[number];

/** What is logged: lines of at least `least`, and of some modules by a level of their own. */
export interface LogLevels {
  readonly least: LogLevel;
  readonly modules: Readonly<Partial<Record<LogModule, LogLevel>>>;
}

export function levelOf({ least, modules }: LogLevels, module: LogModule): LogLevel {
  return modules[module] ?? least;
}

/** `auto`: for people if the output is a terminal, else JSON lines. */
export const logFormats = ['auto', 'json', 'pretty'] as const;

export type LogFormat = (typeof logFormats)[number];
