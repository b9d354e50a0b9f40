import { unknownVariables } from '../config/unknown-variables.ts';
import { isMeridianError } from '../model/errors.ts';
import type { TellingOptions } from '../node/outside.ts';
import type { StartNode } from '../node/run-node.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** Runs a node until it is told to stop. @throws UsageError where its options are refused, else what its start throws */
export async function runAsNode(
  start: StartNode,
  telling: TellingOptions,
  { environment, stopped }: Pick<Terminal, 'environment' | 'stopped'>,
): Promise<void> {
  const { runNode } = await import('../node/run-node.ts');
  try {
    await runNode(start, { telling, stopped, unknownVariables: unknownVariables(environment) });
  } catch (error) {
    if (isMeridianError(error, 'INVALID_ARGUMENT')) throw new UsageError(error.message, error);
    throw error;
  }
}
