import { type LogLevel, type LogLevels, type LogModule, logLevels, logModules } from '../model/log-levels.ts';

const leastByDefault: LogLevel = 'info';

/** `warn`, `feed=debug,http=error`, or both: `warn,feed=debug`. Undefined where it is nothing of the kind. */
export function parseLogLevels(text: string): LogLevels | undefined {
  let least: LogLevel | undefined;
  const modules: Partial<Record<LogModule, LogLevel>> = {};
  for (const part of text.split(',').map((word) => word.trim())) {
    const [name = '', given] = part.split('=', 2);
    const level = logLevels.find((one) => one === (given ?? name));
    const module = logModules.find((one) => one === name);
    if (level === undefined || part.split('=').length > 2) return undefined;
    if (given === undefined) {
      if (least !== undefined) return undefined;
      least = level;
    } else {
      if (module === undefined || modules[module] !== undefined) return undefined;
      modules[module] = level;
    }
  }
  return { least: least ?? leastByDefault, modules };
}
