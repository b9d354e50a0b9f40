import type { LogLevel, LogModule } from '../model/log-levels.ts';

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** A sink for events: a short sentence that stays the same, and fields that vary. Never a value, a token or a secret. */
export interface Logger {
  log(level: LogLevel, message: string, fields?: LogFields): void;
  /** Whether a line of that level would be written. Where fields cost something it is asked before they are made. */
  writes(level: LogLevel): boolean;
  /** The same sink for the lines of one part of the node: they name it, and its level may be another. */
  of(module: LogModule): Logger;
}

/** Hands every line of every part to one function. */
export function loggerTo(log: Logger['log']): Logger {
  const logger: Logger = { log, writes: () => true, of: () => logger };
  return logger;
}

export const silentLogger: Logger = { ...loggerTo(() => {}), writes: () => false, of: () => silentLogger };
