import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { ChildNode } from '../../src/cli/demo/child-node.ts';
import type { ClusterHandle } from '../../src/client/cluster-handle.ts';
import { type ConnectOptions, connect } from '../../src/client/connect.ts';
import type { Address } from '../../src/config/option.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';

export interface NodeStart {
  /** `host:port` of the gRPC listener; any port where unset. */
  readonly listen?: string;
  /** `host:port` of the HTTP listener; any port where unset. */
  readonly http?: string;
  /** What its data folder and its log are called; its name where unset. */
  readonly folder?: string;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The file of the command; that of this checkout where unset. */
  readonly script?: string;
}

/** Milliseconds within which a node that was started answers reads, on a machine with much else to do. */
const readyMsMax = 60_000;

/** The file of the command `meridian`, as a user runs it. */
export const meridianScript = resolve('dist/cli/main.js');

/** Nodes in processes of their own, clients of them, and a folder for their data, which all go together. */
export class ProcessCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'meridian-system-'));
  readonly #nodes: ChildNode[] = [];
  readonly #clients: ClusterHandle[] = [];

  /** A node whose data lie under its name: one that is started again with that name finds them. */
  async start(
    role: 'origin' | 'edge',
    name: string,
    { listen = '127.0.0.1:0', http = '127.0.0.1:0', folder = name, flags = [], env = {}, ...given }: NodeStart = {},
  ): Promise<ChildNode> {
    const node = await ChildNode.start({
      script: given.script ?? meridianScript,
      role,
      name,
      flags: ['--data', join(this.folder, folder), '--listen', listen, '--http', http, ...flags],
      logPath: join(this.folder, `${folder}.log`),
      clock: systemClock,
      env,
    });
    this.#nodes.push(node);
    return node;
  }

  /** Resolves once it answers reads: a client waits for that by itself, a request over HTTP is refused until then. */
  async ready({ http }: ChildNode): Promise<void> {
    const untilMs = Date.now() + readyMsMax;
    for (;;) {
      const answer = await fetch(`http://${placeOf(http)}/readyz`);
      if (answer.ok) return;
      if (Date.now() > untilMs) throw new Error(`not ready within ${readyMsMax} ms: ${await answer.text()}`);
      await setTimeout(50);
    }
  }

  /** Whether no node was started there yet. */
  folderIsNew(folder: string): boolean {
    return !existsSync(join(this.folder, folder));
  }

  connect(node: ChildNode, options: Partial<ConnectOptions> = {}): ClusterHandle {
    const client = connect({ endpoints: [placeOf(node.grpc)], timeoutMs: 30_000, ...options });
    this.#clients.push(client);
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const node of this.#nodes) await node.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function placeOf({ host, port }: Address): string {
  return `${host}:${port}`;
}

/** One sample of a node's metrics; undefined where it has none of that name and those labels. */
export async function metric(node: ChildNode, sample: string): Promise<number | undefined> {
  const text = await (await fetch(`http://${placeOf(node.http)}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
}
