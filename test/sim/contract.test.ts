import type { Upstream } from '../../src/model/upstream.ts';
import { feedContract } from '../contract/feed.ts';
import { keyValueContract } from '../contract/key-value.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { VirtualTime } from '../support/virtual-time.ts';
import { Coverage } from './coverage.ts';
import { linkTo } from './network/link.ts';
import { Path } from './network/path.ts';
import { Cluster } from './nodes/cluster.ts';
import { drawParameters } from './nodes/parameters.ts';
import { oneOrigin } from './nodes/topology.ts';
import { noSignal } from './workload/no-signal.ts';

const title = 'contract';

/** The cluster of the simulator without faults; its time goes on by itself, as fast as the tests let it. */
async function startCluster(nodeName: string) {
  const [time, random] = [new VirtualTime(), new SeededRandom(1)];
  const roomy = { ...drawParameters(random), cacheMemoryBytesMax: 1e9, cacheDiskBytesMax: 1e9, ringCommitsMax: 100 };
  const cluster = new Cluster(oneOrigin, { time, random }, roomy, new Coverage());
  let stopped = false;
  const goOn = async () => {
    while (!stopped) {
      await time.runUntil(time.nowMs + 1);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  void goOn();
  for (const process of cluster.processes) await process.start();
  const far = cluster.process(nodeName);
  const node: Upstream = linkTo({ path: new Path({ time, random, far }), target: () => far.node });
  const call = () => ({ deadlineMs: time.nowMs + 20_000, signal: noSignal });
  const { namespace } = await node.create(title, call());
  const close = async () => {
    stopped = true;
    for (const process of cluster.processes) process.crash();
  };
  return { node, namespace, call, close };
}

for (const name of ['origin', 'copy', 'cache']) {
  keyValueContract(`${name} of the simulator, over its link`, async () => {
    const { node, call, close } = await startCluster(name);
    return { keyValue: node, namespace: title, call, close };
  });
}

feedContract('origin of the simulator, over its link', async () => {
  const { node, namespace, call, close } = await startCluster('origin');
  return { feed: node, keyValue: node, namespace, call, close };
});
