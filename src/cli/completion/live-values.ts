import type { ClusterHandle } from '../../client/cluster-handle.ts';
import type { ClientConfig } from '../../config/config.ts';
import type { CommandContext } from '../command.ts';
import { readConfig, type Words } from '../option-flags.ts';
import { otherSideConfig } from '../other-side.ts';

/** Milliseconds that somebody waits for who has pressed Tab. */
const deadlineMs = 1000;
/** Keys, or namespaces, that are shown at once. */
const shownMax = 100;

const namespaceNames: ReadonlySet<string> = new Set(['namespace', 'target', 'to-namespace']);
const keyNames: ReadonlySet<string> = new Set(['key', 'prefix']);

/** Whether the cluster knows what may stand there. */
export function isLive(name: string): boolean {
  return namespaceNames.has(name) || keyNames.has(name);
}

/**
 * Titles of namespaces, or keys of the one that is named, which begin as the word does. Where there are more than are
 * shown, the word with an ellipsis is among them, so that a shell takes no common beginning of the first ones for one of all.
 * @throws what the cluster answers, or that it does not in time
 */
export async function liveValues(
  name: string,
  current: string,
  words: Words,
  { connect, terminal }: CommandContext,
): Promise<readonly string[]> {
  const isOther = name === 'target' || name === 'to-namespace';
  const config: ClientConfig = await (isOther
    ? otherSideConfig(words, terminal.environment)
    : readConfig('client', words, terminal.environment));
  const cluster = await connect({ ...config, timeoutMs: Math.min(config.timeoutMs, deadlineMs) });
  try {
    const found = namespaceNames.has(name)
      ? await titles(cluster, current)
      : await keys(cluster, words['namespace'], current);
    return found.length > shownMax ? [...found.slice(0, shownMax), `${current}…`] : found;
  } finally {
    cluster.close();
  }
}

async function titles({ namespaces }: ClusterHandle, current: string): Promise<string[]> {
  const all = await namespaces.list();
  return all.map(({ title }) => title).filter((title) => title.startsWith(current));
}

/** One more than is shown, to know whether there are more. */
async function keys(cluster: ClusterHandle, namespace: unknown, prefix: string): Promise<string[]> {
  if (typeof namespace !== 'string') return [];
  const page = await cluster.namespace(namespace).list({ prefix, limit: shownMax + 1 });
  return page.keys.map(({ name }) => name);
}
