import type { ClusterHandle } from '../../../../src/client/cluster-handle.ts';
import { isMeridianError } from '../../../../src/model/errors.ts';
import type { SeededRandom } from '../../../support/seeded-random.ts';
import type { ChaosCluster } from './chaos-cluster.ts';

/** Milliseconds for one operation. */
const callMs = 3_000;

export interface Tally {
  written: number;
  refused: number;
  read: number;
  unread: number;
}

/**
 * A user of some keys of its own, who moves between all nodes and takes the session along. Versions are totally
 * ordered, and a session's later writes have later ones, so each promise is a comparison: what is read is at least what
 * was acknowledged (read your writes) and at least what was read before (monotonic reads).
 */
export class ChaosUser {
  readonly violations: string[] = [];
  /** The latest acknowledged version of each key. */
  readonly acknowledged = new Map<string, string>();
  readonly #seen = new Map<string, string>();
  readonly #handles = new Map<string, ClusterHandle>();
  readonly #random: SeededRandom;
  readonly #keys: readonly string[];
  readonly #tally: Tally;
  #session = '';
  #attempts = 0;

  constructor(cluster: ChaosCluster, random: SeededRandom, name: string, tally: Tally) {
    this.#random = random;
    this.#keys = Array.from({ length: 8 }, (_, i) => `${name}-${i}`);
    this.#tally = tally;
    for (const node of cluster.names) this.#handles.set(node, cluster.connect(node, callMs));
  }

  async run(until: () => boolean): Promise<void> {
    while (!until()) await this.#operate();
    for (const handle of this.#handles.values()) handle.close();
  }

  async #operate(): Promise<void> {
    const at = this.#random.pick([...this.#handles.keys()]);
    const key = this.#random.pick(this.#keys);
    const handle = this.#handles.get(at);
    if (handle === undefined) return;
    if (this.#session !== '') handle.session.import(this.#session);
    try {
      if (this.#random.chance(0.4)) await this.#write(handle, key);
      else await this.#read(handle, at, key);
      this.#session = handle.session.export();
    } catch (error) {
      if (!isMeridianError(error)) this.violations.push(`${at} ${key}: ${(error as Error).stack}`);
      else if (error.code === 'NOT_FOUND') this.violations.push(`${at} ${key}: ${error.message}`);
      // What answers at once that it cannot is not asked a thousand times a second.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #write(handle: ClusterHandle, key: string): Promise<void> {
    const durability = this.#random.pick(['local', 'majority', 'all'] as const);
    const value = `${key} ${++this.#attempts}`;
    this.#tally.refused++;
    const { written } = await handle
      .namespace('chaos')
      .write([{ kind: 'put', key, value }], { durability, durabilityTimeoutMs: 500 });
    this.#tally.refused--;
    this.#tally.written++;
    const version = written[0]?.version ?? '';
    const before = this.acknowledged.get(key) ?? '';
    if (version <= before)
      this.violations.push(`${key}: a later write of the session has version ${version} <= ${before}`);
    this.acknowledged.set(key, version);
  }

  async #read(handle: ClusterHandle, at: string, key: string): Promise<void> {
    this.#tally.unread++;
    const { version, source } = await handle.namespace('chaos').getWithMetadata(key);
    this.#tally.unread--;
    this.#tally.read++;
    const least = [this.acknowledged.get(key) ?? '', this.#seen.get(key) ?? ''].sort()[1] ?? '';
    if ((version ?? '') < least)
      this.violations.push(`${at} (${source}) ${key}: shows ${version}, the session has ${least}`);
    if (version !== null) this.#seen.set(key, version);
  }
}
