export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** A sink for events: a short sentence that stays the same, and fields that vary. */
export interface Logger {
  log(level: LogLevel, message: string, fields?: LogFields): void;
}

export const silentLogger: Logger = { log: () => {} };

const ranks: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface JsonLoggerOptions {
  readonly least: LogLevel;
  readonly nowMs: () => number;
  /** Fields of each line. */
  readonly always?: LogFields;
}

/** One JSON object a line, for the standard error of a server. */
export function jsonLogger(write: (line: string) => void, { least, nowMs, always = {} }: JsonLoggerOptions): Logger {
  return {
    log: (level, message, fields) => {
      if (ranks[level] < ranks[least]) return;
      write(`${JSON.stringify({ time: new Date(nowMs()).toISOString(), level, message, ...always, ...fields })}\n`);
    },
  };
}
