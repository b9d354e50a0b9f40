import { MeridianError } from '../model/errors.ts';
import { quietGrpc } from '../rpc/quiet.ts';
import type { Logger } from '../runtime/logger.ts';
import { type Outside, processOutside, type TellingOptions } from './outside.ts';
import type { RunningNode } from './running-node.ts';

export interface NodeProcess {
  readonly telling: TellingOptions;
  /** Of the environment, to be warned about. */
  readonly unknownVariables: readonly string[];
  readonly stopped: AbortSignal;
}

/** Starts a node, and starts it again. */
export interface StartNode {
  /** @param stopped a start that waits for something gives up then, and throws the signal's reason */
  (outside: Outside, stopped?: AbortSignal): Promise<RunningNode>;
  /** Gives back what is held for a start that does not come. */
  close?(): Promise<void>;
}

/**
 * Runs a node as what its process is for: starts it, says in the log where it serves, and stops it when told. A defect
 * that nothing caught is logged and ends the process with 1: what it left in memory cannot be trusted, the disk can.
 * @throws what the start throws; FAILED_PRECONDITION (`member-replaced`) where a later opening of its member runs elsewhere
 */
export async function runNode(start: StartNode, { telling, unknownVariables, stopped }: NodeProcess): Promise<void> {
  quietGrpc(process.env);
  const outside = await processOutside(telling);
  const { logger } = outside;
  for (const variable of unknownVariables) logger.log('warn', 'no option knows this variable', { variable });
  endAtDefects(logger);
  try {
    await runUntilStopped(start, outside, stopped);
  } finally {
    await start.close?.();
    await outside.tracer?.close();
  }
}

async function runUntilStopped(start: StartNode, outside: Outside, stopped: AbortSignal): Promise<void> {
  const { logger } = outside;
  while (!stopped.aborted) {
    const node = await start(outside, stopped).catch((error: unknown) => {
      if (stopped.aborted && error === stopped.reason) return undefined;
      throw error;
    });
    if (node === undefined) return;
    logger.log('info', 'serving', { grpc: node.grpcAddress, http: node.httpAddress, redis: node.redisAddress });
    // A signal alone keeps no process alive: the listeners do.
    const { mustReopen, replaced, stopAsked } = node;
    await aborted(AbortSignal.any([stopped, mustReopen, replaced, stopAsked].filter((signal) => signal !== undefined)));
    logger.log('info', 'stopping');
    await node.stop();
    logger.log('info', 'stopped');
    if (replaced?.aborted) throw replacedElsewhere(String(replaced.reason));
    if (stopAsked.aborted) return;
  }
}

/** What nothing caught ends the process with 1. */
export function endAtDefects(logger: Logger): void {
  const fatal = (error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    logger.log('error', 'a defect: the process ends', { error: text });
    process.exit(1);
  };
  process.on('uncaughtException', fatal);
  process.on('unhandledRejection', fatal);
}

function replacedElsewhere(why: string): MeridianError {
  return new MeridianError('FAILED_PRECONDITION', `this origin's member runs elsewhere: ${why}`, {
    reason: 'member-replaced',
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
