import type { Argv } from 'yargs';
import type { ClusterHandle } from '../../client/cluster-handle.ts';
import type { NodeStatus } from '../../model/cluster.ts';
import { isMeridianError, MeridianError } from '../../model/errors.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command, CommandContext } from '../command.ts';
import { durationOf } from '../duration-flag.ts';
import { exitCodes } from '../exit-code.ts';
import { readConfig, type Words } from '../option-flags.ts';
import { printResult } from '../print-result.ts';
import { UsageError } from '../usage-error.ts';

interface DrainWords extends ClientWords {
  readonly stop: boolean;
  readonly wait: string;
  readonly linger: string;
}

/** Milliseconds between looks at how far the node is. */
const lookMs = 200;

export const drainCommand: Command<DrainWords> = {
  usage: 'drain',
  describe: 'Take a node out of traffic before a restart: it is not ready, and hands its callers and followers on',
  build: (parser) =>
    withClientOptions(parser)
      .options({
        stop: {
          type: 'boolean',
          default: false,
          describe: 'Also end its process, once it is drained or --wait is over',
        },
        wait: {
          type: 'string',
          default: '30s',
          requiresArg: true,
          describe:
            'How long to wait for calls under way, for followers to leave, and for other origins to have its writes',
        },
        linger: {
          type: 'string',
          default: '0s',
          requiresArg: true,
          describe:
            'How long to wait at least: until load balancers, which HTTP and Redis clients come through, have seen /readyz',
        },
      })
      .example('$0 drain --endpoint 10.0.0.2:7100 --stop', 'then start the new version in its place')
      .example('$0 drain --linger 5s', 'before Kubernetes stops the container: preStop') as Argv<DrainWords>,
  run: async (words, context) => {
    const times = { waitMs: durationOf('--wait', words.wait), lingerMs: durationOf('--linger', words.linger) };
    const { endpoints } = await readConfig('client', words as unknown as Words, context.terminal.environment);
    if (endpoints.length > 1) throw new UsageError('drain takes one node out of traffic: give one --endpoint');
    return withCluster(words, context, async (cluster) => {
      const { node } = await drain(cluster, context, { ...times, stop: words.stop });
      const done = { name: node.name, id: node.id, drained: true, stopped: words.stop };
      const text = `${node.name} is drained${words.stop ? ' and stops' : ''}`;
      await printResult(words, context.terminal, done, text);
      return exitCodes.done;
    });
  },
};

interface DrainTimes {
  readonly waitMs: number;
  readonly lingerMs: number;
  readonly stop: boolean;
}

/** @throws DEADLINE_EXCEEDED where it is not drained in time, and is not to be stopped all the same */
async function drain(
  cluster: ClusterHandle,
  { terminal, clock }: CommandContext,
  { waitMs, lingerMs, stop }: DrainTimes,
): Promise<NodeStatus> {
  const asked = { signal: terminal.stopped };
  const beganMs = clock.monotonicMs();
  for (;;) {
    const { calls } = await cluster.drain({ stop: false }, asked);
    const status = await cluster.status(asked);
    const waitedMs = clock.monotonicMs() - beganMs;
    const left = leftOf(status, calls);
    const isOver = waitedMs >= waitMs;
    if (left.length > 0 && isOver) {
      const message = `${status.node.name} takes no new traffic, and after ${waitMs} ms there are still ${left.join(', ')}`;
      if (!stop) throw new MeridianError('DEADLINE_EXCEEDED', message, { reason: 'not-drained' });
      terminal.note(message);
    }
    if (isOver || (left.length === 0 && waitedMs >= lingerMs)) {
      if (stop) await stopNode(cluster, status, { clock, asked, untilMs: clock.monotonicMs() + waitMs });
      return status;
    }
    await sleep(clock, lookMs, terminal.stopped);
  }
}

/** What the node has still to do for others. A peer that is away is not waited for. */
function leftOf({ followers, peers = [] }: NodeStatus, calls: number): readonly string[] {
  const following = followers.filter(({ scope }) => scope !== 'peer').map(({ name, scope }) => `${name} (${scope})`);
  const behind = peers.filter(({ state, unacknowledged = 0 }) => state === 'live' && unacknowledged > 0);
  return [
    ...(calls > 0 ? [`${calls} calls under way`] : []),
    ...(following.length > 0 ? [`followers: ${following.join(' ')}`] : []),
    ...behind.map(({ name, unacknowledged }) => `${unacknowledged} writes that ${name} has yet to take`),
  ];
}

interface StopTerms {
  readonly clock: Clock;
  readonly asked: { readonly signal: AbortSignal };
  /** By the monotonic clock. */
  readonly untilMs: number;
}

/** Resolves once the process has ended, or runs anew. @throws DEADLINE_EXCEEDED */
async function stopNode(
  cluster: ClusterHandle,
  { node, uptimeMs }: NodeStatus,
  { clock, asked, untilMs }: StopTerms,
): Promise<void> {
  await cluster.drain({ stop: true }, asked);
  for (;;) {
    const now = await cluster.status(asked).catch((error: unknown) => {
      if (!isMeridianError(error, 'UNAVAILABLE')) throw error;
      return undefined;
    });
    if (now === undefined || now.uptimeMs < uptimeMs) return;
    if (clock.monotonicMs() >= untilMs) {
      throw new MeridianError('DEADLINE_EXCEEDED', `${node.name} was told to stop, and still answers`, {
        reason: 'not-stopped',
      });
    }
    await sleep(clock, lookMs, asked.signal);
  }
}
