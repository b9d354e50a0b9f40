import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterHandle } from '../../client/cluster-handle.ts';
import type { Address } from '../../config/option.ts';
import { assert } from '../../model/assert.ts';
import type { CommandContext } from '../command.ts';
import { ChildNode } from './child-node.ts';
import { DelayingProxy } from './delaying-proxy.ts';
import { originPlace, type RegionPlan, regionPlans } from './regions.ts';

/** One region of the running cluster, and an application in it that talks to its edge or over the cable to the origin. */
export interface Region extends RegionPlan {
  readonly edge: ChildNode;
  readonly atEdge: ClusterHandle;
  readonly atOrigin: ClusterHandle;
}

const callTimeoutMs = 10_000;

/** An origin and three edges as processes on loopback, long cables between them, their data in a folder that goes away. */
export class DemoCluster {
  readonly folder: string;
  readonly #context: CommandContext;
  readonly #regions: Region[] = [];
  readonly #proxies: DelayingProxy[] = [];
  readonly #clients: ClusterHandle[] = [];
  #origin: ChildNode | undefined;
  #failed: { readonly error: unknown } | undefined;

  private constructor(context: CommandContext, folder: string) {
    this.#context = context;
    this.folder = folder;
  }

  static async make(context: CommandContext): Promise<DemoCluster> {
    return new DemoCluster(context, await mkdtemp(join(tmpdir(), 'meridian-demo-')));
  }

  get regions(): readonly Region[] {
    return this.#regions;
  }

  get origin(): ChildNode {
    assert(this.#origin !== undefined, 'the origin was started');
    return this.#origin;
  }

  /** Starts the origin, again at the same ports where it ran before. Tells an application beside it. */
  async startOrigin(): Promise<ClusterHandle> {
    const { name, region, location } = originPlace;
    const listen = this.#origin === undefined ? '127.0.0.1:0' : placeText(this.#origin.grpc);
    const http = this.#origin === undefined ? '127.0.0.1:0' : placeText(this.#origin.http);
    this.#origin = await this.#start('origin', name, [
      ...['--region', region, '--location', location, '--listen', listen, '--http', http],
    ]);
    return this.#connect(this.#origin.grpc);
  }

  /** Starts every region's edge at the far end of its cable, and an application there. */
  async startRegions(replicate: readonly string[]): Promise<void> {
    const started = regionPlans.map(async (plan): Promise<Region> => {
      const proxy = new DelayingProxy({
        target: this.origin.grpc,
        oneWayMs: plan.roundTripMs / 2,
        clock: this.#context.clock,
      });
      this.#proxies.push(proxy);
      const cable = await proxy.start();
      const edge = await this.#start('edge', plan.name, [
        ...['--region', plan.region, `--location=${plan.location}`, '--upstream', cable],
        ...['--listen', '127.0.0.1:0', '--http', '127.0.0.1:0', '--replicate', ...replicate],
      ]);
      const atEdge = await this.#connect(edge.grpc);
      return { ...plan, edge, atEdge, atOrigin: await this.#connect(parsePlace(cable)) };
    });
    // One that did not start must not leave the others behind when the demo ends.
    for (const result of await Promise.allSettled(started)) {
      if (result.status === 'fulfilled') this.#regions.push(result.value);
      else this.#failed ??= { error: result.reason };
    }
    if (this.#failed !== undefined) throw this.#failed.error;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all([...this.#regions.map(({ edge }) => edge.stop()), this.#origin?.stop()]);
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()));
    await rm(this.folder, { recursive: true, force: true });
  }

  #start(role: 'origin' | 'edge', name: string, flags: readonly string[]): Promise<ChildNode> {
    const data = join(this.folder, name);
    const logPath = join(this.folder, `${name}.log`);
    // This very command, as another process.
    const script = process.argv[1] ?? '';
    return ChildNode.start({
      script,
      role,
      name,
      flags: ['--data', data, ...flags],
      logPath,
      clock: this.#context.clock,
    });
  }

  async #connect(endpoint: Address): Promise<ClusterHandle> {
    const open = { token: undefined, tokenFile: undefined, tls: false };
    const client = await this.#context.connect({
      ...{ endpoints: [endpoint], timeoutMs: callTimeoutMs, protocol: 'pipeline' },
      ...{ ...open, tlsCa: undefined, tlsCert: undefined, tlsKey: undefined },
    });
    this.#clients.push(client);
    return client;
  }
}

function placeText({ host, port }: Address): string {
  return `${host}:${port}`;
}

function parsePlace(text: string): Address {
  const [host = '', port = ''] = text.split(':');
  return { host, port: Number(port) };
}
