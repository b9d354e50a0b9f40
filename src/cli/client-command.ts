import type { Argv } from 'yargs';
import type { ClusterHandle } from '../client/cluster-handle.ts';
import { unknownVariables } from '../config/unknown-variables.ts';
import type { CommandContext } from './command.ts';
import type { ExitCode } from './exit-code.ts';
import { readConfig, type Words, withOptions } from './option-flags.ts';
import { type OutputWords, outputFlags } from './print-result.ts';

export type ClientWords = OutputWords;

/** The flags that every client command takes. */
export function withClientOptions(parser: Argv): Argv<ClientWords> {
  return withOptions(parser, 'client').options(outputFlags);
}

/** Connects as the words say, and closes whatever comes of it. */
export async function withCluster(
  words: unknown,
  context: CommandContext,
  run: (cluster: ClusterHandle) => Promise<ExitCode>,
): Promise<ExitCode> {
  const { environment, note } = context.terminal;
  for (const name of unknownVariables(environment)) note(`no option knows the variable ${name}`);
  const cluster = await context.connect(await readConfig('client', words as Words, environment));
  try {
    return await run(cluster);
  } finally {
    cluster.close();
  }
}
