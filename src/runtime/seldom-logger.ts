import type { LogFields, Logger } from './logger.ts';
import { rememberLatest } from './remember-latest.ts';

/** Milliseconds for which a warning that repeats is kept back, at first and at most; each pause is twice the last one. */
const firstPauseMs = 60_000;
const mostPauseMs = 3_600_000;
/** Warnings that are told apart; of more, those that came longest ago are forgotten, and said again. */
const warningsMax = 1000;

interface Said {
  nextMs: number;
  pauseMs: number;
  /** Times that it came and was kept back. */
  keptBack: number;
  lastMs: number;
}

/**
 * Passes on a warning once, and then, while it comes again and again, with growing pauses and how often it came
 * meanwhile (`repeated`): a node whose neighbour is away tries for as long as that takes. One that had not come for a
 * whole first pause is new again. All other lines pass.
 */
export function seldomLogger(logger: Logger, nowMs: () => number): Logger {
  const warnings = new Map<string, Said>();
  return {
    writes: (level) => logger.writes(level),
    of: (module) => seldomLogger(logger.of(module), nowMs),
    log: (level, message, fields) => {
      if (level !== 'warn') return logger.log(level, message, fields);
      const now = nowMs();
      const key = keyOf(message, fields);
      const known = warnings.get(key);
      const isNew = known === undefined || now - known.lastMs > firstPauseMs;
      const said = isNew ? { nextMs: now, pauseMs: firstPauseMs, keptBack: 0, lastMs: now } : known;
      said.lastMs = now;
      rememberLatest(warnings, key, said, warningsMax);
      if (now < said.nextMs) {
        said.keptBack++;
        return;
      }
      logger.log(level, message, said.keptBack === 0 ? fields : { ...fields, repeated: said.keptBack });
      if (!isNew) said.pauseMs = Math.min(said.pauseMs * 2, mostPauseMs);
      said.nextMs = now + said.pauseMs;
      said.keptBack = 0;
    },
  };
}

/** Numbers within an error's text are times and ports of one attempt. */
function keyOf(message: string, fields: LogFields = {}): string {
  const { error, ...rest } = fields;
  return JSON.stringify([message, rest, String(error).replaceAll(/\d+/g, '0')]);
}
