import type { LogFormat, LogLevels } from '../model/log-levels.ts';
import type { Tracer } from '../model/trace.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { systemRandom } from '../runtime/random.ts';
import { seldomLogger } from '../runtime/seldom-logger.ts';
import { systemClock } from '../runtime/system-clock.ts';
import { processLogger } from './process-logger.ts';
import { softwareVersion } from './software-version.ts';

/** The world around a node. Tests and embedders bring their own. */
export interface Outside {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Unset = nothing is traced. */
  readonly tracer?: Tracer | undefined;
}

/** What a process tells of itself, and where. */
export interface TellingOptions {
  readonly name: string;
  readonly role: 'origin' | 'edge';
  readonly region: string;
  readonly logLevel: LogLevels;
  readonly logFormat: LogFormat;
  readonly otlpEndpoint: string | undefined;
  readonly traceSampling: number;
}

/**
 * The machine's clocks and randomness, a log on standard error whose lines have the node's name, and where that is asked for
 * traces. `part`: of a node that is several processes.
 */
export async function processOutside(options: TellingOptions, part = ''): Promise<Outside> {
  const logger = await processLog(options, `${options.name}${part}`);
  const outside = { clock: systemClock, random: systemRandom, logger };
  if (!isTraced(options, process.env)) return outside;
  const { otlpTracer } = await import('./otlp-tracer.ts');
  const { name, role, region, otlpEndpoint: endpoint, traceSampling: sampling } = options;
  const node = { name, role, region, version: softwareVersion() };
  return { ...outside, tracer: otlpTracer({ ...outside, endpoint, sampling, node }) };
}

/** As OpenTelemetry's own variables say where the option says nothing. */
function isTraced({ otlpEndpoint }: TellingOptions, env: NodeJS.ProcessEnv): boolean {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return false;
  const endpoint = otlpEndpoint ?? (env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || env['OTEL_EXPORTER_OTLP_ENDPOINT']);
  return endpoint !== undefined && endpoint !== '' && env['OTEL_TRACES_EXPORTER'] !== 'none';
}

async function processLog({ logLevel, logFormat }: TellingOptions, node: string): Promise<Logger> {
  const { stderr } = process;
  const isPretty = logFormat === 'pretty' || (logFormat === 'auto' && stderr.isTTY);
  const shape = isPretty ? await prettyShape() : (line: string) => line;
  const lines = processLogger({
    write: (line) => void stderr.write(shape(line)),
    nowMs: () => systemClock.wallMs(),
    node,
    levels: logLevel,
  });
  return seldomLogger(lines, () => systemClock.monotonicMs());
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
