import type { Clock } from '../runtime/clock.ts';
import { jsonLogger, type Logger, type LogLevel } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { systemRandom } from '../runtime/random.ts';
import { seldomLogger } from '../runtime/seldom-logger.ts';
import { systemClock } from '../runtime/system-clock.ts';

/** The world around a node. Tests and embedders bring their own. */
export interface Outside {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The machine's clocks and randomness, and a log of JSON lines on standard error, each with the node's name. */
export function processOutside(least: LogLevel, node: string): Outside {
  const lines = jsonLogger((line) => void process.stderr.write(line), {
    least,
    nowMs: () => systemClock.wallMs(),
    always: { node },
  });
  const logger = seldomLogger(lines, () => systemClock.monotonicMs());
  return { clock: systemClock, random: systemRandom, logger };
}
