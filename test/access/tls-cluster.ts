import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClusterHandle, type ConnectOptions, connect } from '../../src/client/connect.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import type { RunningNode } from '../../src/node/running-node.ts';
import { startEdge } from '../../src/node/start-edge.ts';
import { startOrigin } from '../../src/node/start-origin.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { TestAuthority } from '../cli/ca/test-authority.ts';

const outside = { clock: systemClock, random: systemRandom, logger: silentLogger };

/** Nodes in this process as an operator starts them, whose ports speak TLS and ask for certificates of clients. */
export class TlsCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'meridian-tls-cluster-'));
  readonly authority = new TestAuthority();
  readonly #closing: Array<() => Promise<void> | void> = [];

  file(name: string, content: string | Buffer): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  /** Its own certificate is one of this name. */
  async start(role: 'origin' | 'edge', name: string, flags: Record<string, unknown> = {}): Promise<RunningNode> {
    const { cert, key } = this.authority.issue(name);
    const ca = this.file('ca', this.authority.ca);
    const all = {
      ...{ name, data: join(this.folder, name), listen: '127.0.0.1:0', http: '127.0.0.1:0', redis: '127.0.0.1:0' },
      ...{ 'tls-cert': this.file(`${name}.cert`, cert), 'tls-key': this.file(`${name}.key`, key) },
      ...{ 'tls-ca': ca, 'tls-client-ca': ca, ...flags },
    };
    const sources = { flags: all, env: {}, file: {} };
    const node =
      role === 'origin'
        ? await startOrigin(resolveConfig('origin', sources), outside)
        : await startEdge(resolveConfig('edge', sources), outside);
    this.#closing.unshift(() => node.stop());
    return node;
  }

  /** Of whoever has a certificate of this name. */
  tlsOf(name: string): { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer } {
    return { ca: this.authority.ca, ...this.authority.issue(name) };
  }

  connect(node: RunningNode, name: string, options: Partial<ConnectOptions> = {}): ClusterHandle {
    const handle = connect({ endpoints: [node.grpcAddress], tls: this.tlsOf(name), timeoutMs: 10_000, ...options });
    this.#closing.unshift(() => handle.close());
    return handle;
  }

  /** Runs when the cluster is closed, before its nodes are. */
  onClose(run: () => void): void {
    this.#closing.unshift(run);
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0)) await close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
