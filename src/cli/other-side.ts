import type { ClusterHandle } from '../client/cluster-handle.ts';
import type { ClientConfig } from '../config/config.ts';
import type { CommandContext } from './command.ts';
import type { ExitCode } from './exit-code.ts';
import { readConfig, type Words } from './option-flags.ts';

/** How a command that has two sides reaches the second one. */
export interface OtherSideWords {
  readonly 'to-endpoint'?: readonly string[] | undefined;
  readonly 'to-config'?: string | undefined;
}

export const otherSideFlags = {
  'to-endpoint': {
    type: 'string',
    array: true,
    nargs: 1,
    requiresArg: true,
    describe:
      'Node of the second side, which is shown the same token and certificates; several are tried in order. Default: as --endpoint',
  },
  'to-config': {
    type: 'string',
    requiresArg: true,
    describe:
      'YAML file of the second side’s connection (endpoint, token-file, tls-ca, …), where it is another cluster: nothing of the first side’s goes there',
  },
} as const;

/** Those that may be given several times. */
export const otherSideLists: readonly string[] = ['to-endpoint'];

/** Of the second side. @throws UsageError */
export function otherSideConfig(
  words: OtherSideWords,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ClientConfig> {
  const { 'to-endpoint': endpoint, 'to-config': config } = words;
  const named = endpoint === undefined ? {} : { endpoint };
  if (config !== undefined) return readConfig('client', { config, ...named }, {});
  return readConfig('client', { ...(words as Words), ...named }, environment);
}

/** Connects to the second side, with a session of its own, and closes whatever comes of it. */
export async function withOtherSide(
  words: OtherSideWords,
  { connect, terminal }: CommandContext,
  run: (cluster: ClusterHandle) => Promise<ExitCode>,
): Promise<ExitCode> {
  const cluster = await connect(await otherSideConfig(words, terminal.environment));
  try {
    return await run(cluster);
  } finally {
    cluster.close();
  }
}
