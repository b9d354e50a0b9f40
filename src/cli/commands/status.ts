import type { Argv } from 'yargs';
import type { ScopeDigest } from '../../model/cluster.ts';
import { statusJson } from '../../model/status-json.ts';
import { systemClock } from '../../runtime/system-clock.ts';
import { type ClientWords, withClientOptions, withCluster } from '../client-command.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { readConfig, type Words } from '../option-flags.ts';
import { printResult } from '../print-result.ts';
import {
  describeCluster,
  describeDigests,
  describeHotKeys,
  type Looking,
  type NodeView,
  viewOf,
} from '../status/cluster-view.ts';
import { describeNode } from '../status/describe-node.ts';
import { reachMember } from '../status/reach-member.ts';

interface StatusWords extends ClientWords {
  readonly digest: boolean;
  readonly 'hot-keys': boolean;
}

export const statusCommand: Command<StatusWords> = {
  usage: 'status',
  describe: 'What a node says of itself: scopes, vectors, proven age, followers; from an origin, of the whole cluster',
  build: (parser) =>
    withClientOptions(parser)
      .option('digest', {
        type: 'boolean',
        default: false,
        describe:
          'Also a digest of what each node holds whole, by namespace: equal at an equal vector and second exactly when the records are. Reads everything',
      })
      .option('hot-keys', {
        type: 'boolean',
        default: false,
        describe:
          'Also the keys that each node was asked for most often in the last minute, of those that you may read',
      })
      .example('$0 status', 'the cluster, as the origin on this machine sees it')
      .example('$0 status --digest', 'do all hold the same?')
      .example('$0 status --endpoint 127.0.0.1:7200 --json', 'an edge, for a program') as Argv<StatusWords>,
  run: (words, context) =>
    withCluster(words, context, async (cluster) => {
      const config = await readConfig('client', words as unknown as Words, context.terminal.environment);
      const second = words.digest ? Math.floor(systemClock.wallMs() / 1000) : undefined;
      const asked = { signal: context.terminal.stopped };
      const status = await cluster.status(asked);
      const own: NodeView = {
        member: { ...status.node, connected: true },
        status,
        ...(second === undefined ? {} : { digests: await cluster.digest({ second }, asked) }),
      };
      const looking: Looking = {
        second,
        signal: context.terminal.stopped,
        reach: (address) => reachMember(address, config, context),
      };
      const members = status.node.role === 'origin' ? await cluster.members(asked) : [];
      const others = members.filter(({ id }) => id !== status.node.id);
      const views = [own, ...(await Promise.all(others.map((member) => viewOf(member, looking))))];
      if (words.json) await printResult(words, context.terminal, jsonOf(views), '');
      else await context.terminal.write(textOf(own, views, words));
      return exitCodes.done;
    }),
};

function textOf(own: NodeView, views: readonly NodeView[], words: Pick<StatusWords, 'digest' | 'hot-keys'>): string {
  const sections = own.status === undefined ? [] : [describeNode(own.status)];
  if (views.length > 1) sections.push(describeCluster(views));
  if (words.digest) sections.push(describeDigests(views));
  if (words['hot-keys']) sections.push(describeHotKeys(views));
  return sections.join('\n');
}

/** The node asked, with its digests, and the others of the cluster beside it. */
function jsonOf([own, ...others]: readonly NodeView[]): object {
  const members = others.map(viewJson);
  return { ...(own && viewJson(own)), ...(members.length === 0 ? {} : { members }) };
}

function viewJson({ member, status, digests, error }: NodeView): object {
  return {
    ...(status === undefined ? member : { connected: member.connected, ...statusJson(status) }),
    ...(digests === undefined ? {} : { digests: digests.map(digestJson) }),
    ...(error === undefined ? {} : { error }),
  };
}

function digestJson({ vector, ...rest }: ScopeDigest): object {
  return { ...rest, vector: Object.fromEntries(vector) };
}
