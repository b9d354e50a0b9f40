import type { FeedEvent, FollowOpen } from '../../../src/model/feed.ts';
import type { Peer, Upstream } from '../../../src/model/upstream.ts';
import type { Coverage } from '../coverage.ts';
import { linkTo } from '../network/link.ts';
import { Path } from '../network/path.ts';
import { EdgeProcess } from './edge-process.ts';
import { EngineOrigin } from './engine-origin.ts';
import { OriginProcess } from './origin-process.ts';
import type { Parameters } from './parameters.ts';
import type { Process, World } from './process.ts';
import type { Topology } from './topology.ts';

export interface NamedPath {
  readonly name: string;
  readonly near: string;
  readonly path: Path;
}

/** Every node of a topology, and the paths between them. */
export class Cluster {
  readonly origins: readonly OriginProcess[];
  readonly edges: readonly EdgeProcess[];
  readonly paths: readonly NamedPath[];
  /** What becomes of events on their way to a node. Tests break rules with it. */
  tamper: (event: FeedEvent, open: FollowOpen, near: string) => FeedEvent | undefined = (event) => event;
  /** Told of each answer that a node is given by another. */
  answered: (method: keyof Upstream, args: readonly unknown[], answer: unknown) => void = () => {};

  constructor(topology: Topology, world: World, parameters: Parameters, coverage: Coverage) {
    const paths: NamedPath[] = [];
    this.paths = paths;
    const between = new Map<string, Peer>();
    this.origins = topology.origins.map((plan) => {
      const connect = (address: string) => between.get(`${plan.name} ${address}`) ?? unknown(address);
      const more = { parameters, coverage, connect };
      return plan.hosts === undefined ? new OriginProcess(plan, world, more) : new EngineOrigin(plan, world, more);
    });
    const upstreams = new Map<string, Array<{ name: string; upstream: Upstream }>>();
    this.edges = topology.edges.map(
      (plan) => new EdgeProcess(plan, world, { parameters, coverage, upstreams: () => upstreams.get(plan.name) ?? [] }),
    );
    for (const edge of this.edges) {
      const named = edge.plan.upstreams.map((name) => ({ name, upstream: this.#link(edge, name, world, paths) }));
      upstreams.set(edge.name, named);
    }
    for (const { hosts } of this.engines) {
      for (const near of hosts) {
        const others = hosts.filter((host) => host !== near);
        near.others = others.map(({ host }) => ({ name: host, upstream: this.#link(near, host, world, paths) }));
      }
    }
    for (const near of this.origins) {
      for (const { name } of this.origins) {
        if (name !== near.name || near.peers.includes(name))
          between.set(`${near.name} ${name}`, this.#link(near, name, world, paths));
      }
    }
  }

  get processes(): ReadonlyArray<Process<Upstream>> {
    return [...this.origins, ...this.edges];
  }

  /** Those that run over a database. */
  get engines(): readonly EngineOrigin[] {
    return this.origins.filter((origin) => origin instanceof EngineOrigin);
  }

  process(name: string): Process<Upstream> {
    const found =
      this.processes.find((process) => process.name === name) ??
      this.engines.flatMap(({ hosts }) => hosts).find(({ host }) => host === name);
    if (found === undefined) throw new Error(`no node is named ${name}`);
    return found;
  }

  edgeNamed(name: string): EdgeProcess {
    const found = this.edges.find((edge) => edge.name === name);
    if (found === undefined) throw new Error(`no edge is named ${name}`);
    return found;
  }

  /** The paths that begin or end at a node. */
  pathsOf(name: string): readonly Path[] {
    return this.paths.filter((path) => path.name.split(' ').includes(name)).map(({ path }) => path);
  }

  /** The node as another one, or a client, reaches it. */
  #link(near: Process<Upstream>, farName: string, { time, random }: World, paths: NamedPath[]): Peer {
    const far = this.process(farName);
    const path = new Path({ time, random: random.fork(), near, far });
    paths.push({ name: `${near.name} ${farName}`, near: near.name, path });
    return linkTo({
      path,
      target: () => far.reached,
      tamper: (event, open) => this.tamper(event, open, near.name),
      answered: (method, args, answer) => this.answered(method, args, answer),
    });
  }
}

function unknown(address: string): never {
  throw new Error(`no origin is reached at ${address}`);
}
