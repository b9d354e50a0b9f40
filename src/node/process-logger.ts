import pino from 'pino';
import { type LogLevel, type LogLevels, type LogModule, levelOf } from '../model/log-levels.ts';
import type { LogFields, Logger } from '../runtime/logger.ts';

export interface ProcessLoggerOptions {
  /** One whole line, its end included. */
  readonly write: (line: string) => void;
  readonly nowMs: () => number;
  /** Stands in each line. */
  readonly node: string;
  readonly levels: LogLevels;
}

/** What must not be written, whoever puts it into a field or an error's text. */
const hidden = '[hidden]';
const secretFields = ['authorization', 'credential', 'password', 'secret', 'token', 'value'];
const secretTexts: ReadonlyArray<readonly [RegExp, string]> = [
  [/\b(bearer|basic) +[^\s"',;]+/gi, `$1 ${hidden}`],
  [/\bmdn_[0-9a-f]{16}_[0-9a-f]+/g, hidden],
  [/(:\/\/)[^\s/@]+@/g, `$1${hidden}@`],
];

/** Lines of pino: one JSON object each, with the time, the level, the node, the module, and the message last. */
export function processLogger({ write, nowMs, node, levels }: ProcessLoggerOptions): Logger {
  const root = pino<never, false>(
    {
      base: { node },
      level: levelOf(levels, 'node'),
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date(nowMs()).toISOString()}"`,
      formatters: { level: (level) => ({ level }), log: (fields) => withoutSecrets(fields as LogFields) },
      redact: { paths: secretFields, censor: hidden },
    },
    { write },
  );
  const of = (module: LogModule): Logger => {
    const child = root.child({ module }, { level: levelOf(levels, module) });
    return {
      of,
      writes: (level: LogLevel) => child.isLevelEnabled(level),
      log: (level, message, fields = {}) => child[level](fields, withoutSecret(message)),
    };
  };
  return of('node');
}

function withoutSecrets(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === 'string' ? withoutSecret(value) : value]),
  );
}

function withoutSecret(text: string): string {
  return secretTexts.reduce((rest, [pattern, instead]) => rest.replace(pattern, instead), text);
}
