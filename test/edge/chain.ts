import { Edge } from '../../src/edge/edge.ts';
import { type EdgeOptions, edgeDefaults } from '../../src/edge/edge-options.ts';
import { silentEdgeObserver } from '../../src/edge/observer.ts';
import type { Call } from '../../src/model/call.ts';
import { MeridianError } from '../../src/model/errors.ts';
import type { GetAnswer, GetRequest } from '../../src/model/key-value.ts';
import { emptySession } from '../../src/model/session.ts';
import type { Upstream } from '../../src/model/upstream.ts';
import { covers, type VersionVector } from '../../src/model/version-vector.ts';
import { silentOriginObserver } from '../../src/origin/observer.ts';
import { Origin } from '../../src/origin/origin.ts';
import { type OriginOptions, originDefaults } from '../../src/origin/origin-options.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { OriginDisks } from '../support/memory-origin-stores.ts';
import { MemoryDisk } from '../support/memory-store.ts';

/** A cable between two nodes that can be cut: what travels fails, streams end. */
export class Cable {
  readonly upstream: Upstream;
  cut = false;
  /** Names of the methods that were called through it. */
  readonly called: string[] = [];

  constructor(target: Upstream) {
    const check = () => {
      if (this.cut) throw new MeridianError('UNAVAILABLE', 'the cable is cut', { reason: 'cut' });
    };
    this.upstream = new Proxy(target, {
      get: (node, name: keyof Upstream) => {
        if (name === 'follow') {
          return async function* (...args: Parameters<Upstream['follow']>) {
            check();
            for await (const event of node.follow(...args)) {
              check();
              yield event;
            }
          };
        }
        return async (...args: unknown[]) => {
          check();
          this.called.push(name);
          return (node[name] as (...args: unknown[]) => unknown).apply(node, args);
        };
      },
    });
  }
}

/** Origins and edges in one process, over memory, by the machine's clock; they go together. */
export class Chain {
  readonly #closing: Array<() => Promise<void>> = [];

  async origin(name: string, options: Partial<OriginOptions> = {}): Promise<Origin> {
    const origin = await Origin.open({
      ...originDefaults,
      clockHoldMs: 0,
      stores: await new OriginDisks().open((disk) => disk.open()),
      clock: systemClock,
      random: systemRandom,
      observer: silentReplicationObserver,
      originObserver: silentOriginObserver,
      name,
      region: 'r',
      version: 'test',
      durability: 'local',
      ...options,
    });
    this.#closing.unshift(() => origin.close());
    return origin;
  }

  async edge(name: string, upstreams: readonly Upstream[], options: Partial<EdgeOptions> = {}): Promise<Edge> {
    const edge = await Edge.open({
      ...edgeDefaults,
      probeIntervalMs: 5,
      backoff: { firstMs: 1, mostMs: 5 },
      identity: { name, region: 'r' },
      version: 'test',
      clock: systemClock,
      random: systemRandom,
      observer: silentReplicationObserver,
      edgeObserver: silentEdgeObserver,
      upstreams: upstreams.map((upstream, index) => ({ name: `u${index}`, upstream })),
      copyStore: new MemoryDisk().open(),
      cacheStore: new MemoryDisk().open(),
      replicate: [],
      feedValues: { kind: 'inline', bytesMax: 1024 },
      ...options,
    });
    this.#closing.unshift(() => edge.close());
    return edge;
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0)) await close();
  }
}

/** A call whose deadline is far enough for a slow machine. */
export function aCall(ms = 20_000): Call {
  return { deadlineMs: systemClock.monotonicMs() + ms, signal: new AbortController().signal };
}

/** Looks until it holds, for as long as the test may take. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Every scope is live, its bound known. */
export async function isLive(edge: Edge): Promise<void> {
  await until(async () => {
    const { scopes, notes } = await edge.status();
    return (
      scopes.length > 0 &&
      notes.length === 0 &&
      scopes.every(({ state, boundMs }) => state === 'live' && boundMs !== undefined)
    );
  });
}

/** What is written here has come to every scope of the edge. */
export async function covering(edge: Edge, vector: VersionVector): Promise<void> {
  await until(async () => {
    const { scopes } = await edge.status();
    return scopes.length > 0 && scopes.every(({ covered }) => covers(covered, vector));
  });
}

export function put(node: Upstream, key: string, value: string, namespace = 'ns') {
  const mutations = [{ kind: 'put' as const, key, value: Buffer.from(value) }];
  return node.write({ namespace, mutations, session: emptySession }, aCall());
}

export function get(node: Upstream, key: string, wishes: Partial<GetRequest> = {}): Promise<GetAnswer> {
  return node.get({ namespace: 'ns', key, session: emptySession, ...wishes }, aCall());
}

export function textOf({ record }: GetAnswer): string | undefined {
  return record?.kind === 'live' ? Buffer.from(record.value).toString() : undefined;
}
