import type { LogFormat, LogLevels } from '../model/log-levels.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { systemRandom } from '../runtime/random.ts';
import { seldomLogger } from '../runtime/seldom-logger.ts';
import { systemClock } from '../runtime/system-clock.ts';
import { processLogger } from './process-logger.ts';

/** The world around a node. Tests and embedders bring their own. */
export interface Outside {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** How a node's log is to look. */
export interface LogOptions {
  readonly logLevel: LogLevels;
  readonly logFormat: LogFormat;
}

/** The machine's clocks and randomness, and a log on standard error whose lines have the node's name. */
export async function processOutside({ logLevel, logFormat }: LogOptions, node: string): Promise<Outside> {
  const { stderr } = process;
  const isPretty = logFormat === 'pretty' || (logFormat === 'auto' && stderr.isTTY);
  const shape = isPretty ? await prettyShape() : (line: string) => line;
  const lines = processLogger({
    write: (line) => void stderr.write(shape(line)),
    nowMs: () => systemClock.wallMs(),
    node,
    levels: logLevel,
  });
  const logger = seldomLogger(lines, () => systemClock.monotonicMs());
  return { clock: systemClock, random: systemRandom, logger };
}

/** Loaded only where somebody reads along. */
async function prettyShape(): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty');
  const { NO_COLOR = '' } = process.env;
  return prettyFactory({
    colorize: process.stderr.isTTY && NO_COLOR === '',
    messageKey: 'message',
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'node',
    singleLine: true,
  });
}
