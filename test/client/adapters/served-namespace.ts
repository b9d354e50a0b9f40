import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../../src/client/connect.ts';
import type { Namespace } from '../../../src/client/namespace.ts';
import { resolveConfig } from '../../../src/config/resolve.ts';
import { startOrigin } from '../../../src/node/start-origin.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { systemRandom } from '../../../src/runtime/random.ts';
import { systemClock } from '../../../src/runtime/system-clock.ts';

export interface ServedNamespace {
  readonly namespace: Namespace;
  close(): Promise<void>;
}

/** A namespace of a client of a real origin over gRPC. */
export async function serveNamespace(): Promise<ServedNamespace> {
  const folder = mkdtempSync(join(tmpdir(), 'meridian-adapter-'));
  const flags = { listen: '127.0.0.1:0', http: '127.0.0.1:0', data: join(folder, 'origin') };
  const outside = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const origin = await startOrigin(resolveConfig('origin', { flags, env: {}, file: {} }), outside);
  const cluster = connect({ endpoints: [origin.grpcAddress] });
  await cluster.namespaces.create('store');
  return {
    namespace: cluster.namespace('store'),
    close: async () => {
      cluster.close();
      await origin.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
