import type { ClusterHandle } from '../../client/cluster-handle.ts';
import type { ClientConfig } from '../../config/config.ts';
import { parseAddress } from '../../config/parse-address.ts';
import type { Member } from '../../model/cluster.ts';
import type { CommandContext } from '../command.ts';
import { lookThrough, type NodeView } from '../status/cluster-view.ts';
import { reachMember } from '../status/reach-member.ts';
import type { Look } from './top-table.ts';

/** Milliseconds for the node asked: a picture of the cluster that takes longer is none of now. */
const lookMs = 5_000;

/** Looks at all nodes of a cluster again and again, over connections that are kept. */
export class ClusterLooks {
  readonly #cluster: ClusterHandle;
  readonly #config: ClientConfig;
  readonly #context: CommandContext;
  readonly #handles = new Map<string, Promise<ClusterHandle>>();

  constructor(cluster: ClusterHandle, config: ClientConfig, context: CommandContext) {
    this.#cluster = cluster;
    this.#config = config;
    this.#context = context;
  }

  /** From an origin at the whole cluster, from an edge at itself. @throws where the node asked is not reached */
  async look(signal: AbortSignal): Promise<Look> {
    const asked = { signal, timeoutMs: Math.min(lookMs, this.#config.timeoutMs) };
    const status = await this.#cluster.status(asked);
    const own: NodeView = { member: { ...status.node, connected: true }, status };
    const members = status.node.role === 'origin' ? await this.#cluster.members(asked) : [];
    const others = members.filter(({ id }) => id !== status.node.id);
    const views = await Promise.all(others.map((member) => this.#viewOf(member, signal)));
    this.#forgetAllBut(others);
    return { views: [own, ...views], atMs: this.#context.clock.monotonicMs() };
  }

  close(): void {
    this.#forgetAllBut([]);
  }

  async #viewOf(member: Member, signal: AbortSignal): Promise<NodeView> {
    const place = member.address;
    const address = place === undefined ? undefined : parseAddress(place);
    if (place === undefined || address === undefined) return { member, error: 'says no address' };
    // Known before it is there: an origin that began anew has the address of its old id.
    const handle = this.#handles.get(place) ?? reachMember(address, this.#config, this.#context);
    this.#handles.set(place, handle);
    return lookThrough(handle, member, { second: undefined, signal });
  }

  #forgetAllBut(members: readonly Member[]): void {
    const places = new Set(members.map(({ address }) => address));
    for (const [place, handle] of this.#handles) {
      if (places.has(place)) continue;
      handle.then(
        (opened) => opened.close(),
        () => {},
      );
      this.#handles.delete(place);
    }
  }
}
