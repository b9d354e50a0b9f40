import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { ChildNode } from '../../../../src/cli/demo/child-node.ts';
import type { ClusterHandle } from '../../../../src/client/cluster-handle.ts';
import { connect } from '../../../../src/client/connect.ts';
import type { SeededRandom } from '../../../support/seeded-random.ts';
import { ProcessCluster } from '../../process-cluster.ts';
import { CuttingProxy } from './cutting-proxy.ts';

export interface Plan {
  readonly name: string;
  /** What it calls itself; its name where unset. */
  readonly label?: string;
  readonly role: 'origin' | 'edge';
  /** The nodes that it is told of: peers, or upstreams in their order. */
  readonly knows: readonly string[];
  readonly replicate?: string;
}

interface Placed {
  readonly plan: Plan;
  readonly proxy: CuttingProxy;
  readonly address: string;
  /** Its listeners' own: they stay the same where it begins anew, or is started again. */
  readonly grpc: string;
  readonly http: string;
  node: ChildNode | undefined;
}

/** A copy of a node's data folder, as a process that is killed leaves it. */
export interface Image {
  readonly of: string;
  readonly folder: string;
  /** Milliseconds since 1970: all that was acknowledged before is in it. */
  readonly atMs: number;
}

/** What lies below the ports that connections are given, so that a node that is down finds its own free. */
const portsFrom = 20_000;
const portsTo = 30_000;
/** Deletions are forgotten within a run, so that an older image may lie below a peer's floor. */
const retention = '15s';

/** Nodes as processes, each reached by all others, and by clients, through a proxy of its own that can be cut. */
export class ChaosCluster {
  readonly #cluster = new ProcessCluster();
  readonly #placed = new Map<string, Placed>();
  readonly #random: SeededRandom;
  #images = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  async start(plans: readonly Plan[]): Promise<void> {
    for (const plan of plans) await this.#place(plan);
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
    const { plan, address, grpc, http } = placed;
    const known = plan.knows.map((other) => this.#at(other).address);
    const flags = [
      '--advertise',
      address,
      '--tombstone-retention',
      retention,
      ...(known.length === 0 ? [] : [plan.role === 'origin' ? '--peer' : '--upstream', ...known]),
      ...(plan.replicate === undefined ? [] : ['--replicate', plan.replicate]),
    ];
    placed.node = await this.#cluster.start(plan.role, plan.label ?? name, { listen: grpc, http, folder: name, flags });
  }

  async kill(name: string): Promise<void> {
    const placed = this.#at(name);
    const { node } = placed;
    placed.node = undefined;
    await node?.kill();
  }

  cut(name: string): void {
    this.#at(name).proxy.cut(this.#random.chance(0.5) ? 'reset' : 'silent');
  }

  mend(name: string): void {
    this.#at(name).proxy.mend();
  }

  /** Copies the node's folder, the process standing still meanwhile where there is one. */
  image(name: string): Image {
    const pid = this.#at(name).node?.pid;
    const image = { of: name, folder: join(this.folder, `image-${++this.#images}`), atMs: Date.now() };
    if (pid !== undefined) standStill(pid);
    try {
      cpSync(join(this.folder, name), image.folder, { recursive: true });
    } finally {
      if (pid !== undefined) process.kill(pid, 'SIGCONT');
    }
    return image;
  }

  drop(image: Image): void {
    rmSync(image.folder, { recursive: true, force: true });
  }

  /** The folder of the node that the image is of, which is down, becomes what the image holds. */
  putBack(image: Image): void {
    const folder = join(this.folder, image.of);
    rmSync(folder, { recursive: true });
    cpSync(image.folder, folder, { recursive: true });
  }

  /** Starts a second process of the origin over a copy of its folder: a node of its own by that name until it is `forget`ed. */
  async openCopy({ of, folder }: Image, name: string): Promise<void> {
    const others = [...this.#placed.values()].filter(({ plan }) => plan.role === 'origin' && plan.name !== of);
    cpSync(folder, join(this.folder, name), { recursive: true });
    await this.#place({ name, label: of, role: 'origin', knows: others.map(({ plan }) => plan.name) });
    await this.open(name);
  }

  async forget(name: string): Promise<void> {
    await this.kill(name);
    await this.#at(name).proxy.stop();
    this.#placed.delete(name);
    rmSync(join(this.folder, name), { recursive: true, force: true });
  }

  /** What a process that ended by itself said with; unset while it runs. */
  exitCode(name: string): number | undefined {
    return this.#at(name).node?.exitCode ?? undefined;
  }

  /** Of HTTP, past the proxy. */
  httpOf(name: string): string {
    return `http://${this.#at(name).http}`;
  }

  /** How many lines of the node's log say so. */
  logged(name: string, message: string): number {
    const lines = readFileSync(join(this.folder, `${name}.log`), 'utf8').split('\n');
    return lines.filter((line) => line.includes(`"message":${JSON.stringify(message)}`)).length;
  }

  /** The caller closes it. */
  connect(name: string, timeoutMs: number): ClusterHandle {
    return connect({ endpoints: [this.#at(name).address], timeoutMs });
  }

  async close(): Promise<void> {
    for (const { proxy } of this.#placed.values()) await proxy.stop();
    await this.#cluster.close();
  }

  async #place(plan: Plan): Promise<void> {
    const proxy = new CuttingProxy();
    const [grpc, http] = [await this.#freePort(), await this.#freePort()];
    proxy.target = grpc;
    const address = await proxy.start();
    const place = (port: number) => `127.0.0.1:${port}`;
    this.#placed.set(plan.name, { plan, proxy, address, grpc: place(grpc), http: place(http), node: undefined });
  }

  async #freePort(): Promise<number> {
    const taken = new Set([...this.#placed.values()].flatMap(({ grpc, http }) => [grpc, http]));
    for (;;) {
      const port = this.#random.between(portsFrom, portsTo);
      if (!taken.has(`127.0.0.1:${port}`) && (await isFree(port))) return port;
    }
  }

  #at(name: string): Placed {
    const placed = this.#placed.get(name);
    if (placed === undefined) throw new Error(`no node is called ${name}`);
    return placed;
  }
}

/** Stops the process, and waits until none of its threads runs. */
function standStill(pid: number): void {
  process.kill(pid, 'SIGSTOP');
  const stands = (thread: string) => /\) [Tt] /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'));
  while (!readdirSync(`/proc/${pid}/task`).every(stands));
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
