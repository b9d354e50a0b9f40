import type { ClusterHandle } from '../../../../src/client/cluster-handle.ts';
import { connect } from '../../../../src/client/connect.ts';
import type { SeededRandom } from '../../../support/seeded-random.ts';
import { ProcessCluster } from '../../process-cluster.ts';
import { CuttingProxy } from './cutting-proxy.ts';

export interface Plan {
  readonly name: string;
  readonly role: 'origin' | 'edge';
  /** The nodes that it is told of: peers, or upstreams in their order. */
  readonly knows: readonly string[];
  readonly replicate?: string;
}

interface Placed {
  readonly plan: Plan;
  readonly proxy: CuttingProxy;
  readonly address: string;
  node: Awaited<ReturnType<ProcessCluster['start']>> | undefined;
}

/** Nodes as processes, each reached by all others, and by clients, through a proxy of its own that can be cut. */
export class ChaosCluster {
  readonly #cluster = new ProcessCluster();
  readonly #placed = new Map<string, Placed>();

  async start(plans: readonly Plan[]): Promise<void> {
    for (const plan of plans) {
      const proxy = new CuttingProxy();
      this.#placed.set(plan.name, { plan, proxy, address: await proxy.start(), node: undefined });
    }
    for (const { name } of plans) await this.open(name);
  }

  get names(): readonly string[] {
    return [...this.#placed.keys()];
  }

  get folder(): string {
    return this.#cluster.folder;
  }

  async open(name: string): Promise<void> {
    const placed = this.#at(name);
    const { plan, address } = placed;
    const known = plan.knows.map((other) => this.#at(other).address);
    const flags = [
      '--advertise',
      address,
      ...(known.length === 0 ? [] : [plan.role === 'origin' ? '--peer' : '--upstream', ...known]),
      ...(plan.replicate === undefined ? [] : ['--replicate', plan.replicate]),
    ];
    placed.node = await this.#cluster.start(plan.role, name, { flags });
    placed.proxy.target = placed.node.grpc.port;
  }

  isUp(name: string): boolean {
    return this.#at(name).node !== undefined;
  }

  async kill(name: string): Promise<void> {
    const placed = this.#at(name);
    const { node } = placed;
    placed.node = undefined;
    await node?.kill();
  }

  cut(name: string, random: SeededRandom): void {
    this.#at(name).proxy.cut(random.chance(0.5) ? 'reset' : 'silent');
  }

  mend(name: string): void {
    this.#at(name).proxy.mend();
  }

  /** Of HTTP, past the proxy. */
  httpOf(name: string): string {
    const { node } = this.#at(name);
    if (node === undefined) throw new Error(`${name} is down`);
    return `http://${node.http.host}:${node.http.port}`;
  }

  /** The caller closes it. */
  connect(name: string, timeoutMs: number): ClusterHandle {
    return connect({ endpoints: [this.#at(name).address], timeoutMs });
  }

  async close(): Promise<void> {
    for (const { proxy } of this.#placed.values()) await proxy.stop();
    await this.#cluster.close();
  }

  #at(name: string): Placed {
    const placed = this.#placed.get(name);
    if (placed === undefined) throw new Error(`no node is called ${name}`);
    return placed;
  }
}
