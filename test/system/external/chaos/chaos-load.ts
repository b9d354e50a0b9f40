import type { ClusterHandle } from '../../../../src/client/cluster-handle.ts';
import { isMeridianError } from '../../../../src/model/errors.ts';
import type { Durability } from '../../../../src/model/key-value.ts';
import { parseStamp, stampParts } from '../../../../src/model/stamp.ts';
import type { SeededRandom } from '../../../support/seeded-random.ts';
import type { ChaosCluster } from './chaos-cluster.ts';

/** Milliseconds for one operation. */
const callMs = 3_000;

export interface Tally {
  written: number;
  refused: number;
  read: number;
  unread: number;
  /** What refused, by its code and reason. */
  readonly reasons: Map<string, number>;
}

/** One operation of a user, as the user saw it; milliseconds are since 1970. */
interface Operation {
  readonly key: string;
  readonly at: string;
  readonly startedMs: number;
  readonly endedMs: number;
}

export interface WriteSeen extends Operation {
  readonly kind: 'put' | 'delete';
  /** Unset where nobody knows what became of it. */
  readonly written?: {
    readonly version: string;
    readonly durability: Durability;
    /** The id of the member that took it. */
    readonly member: string;
    /** Its place in the log that its version names; unset where the session does not tell. */
    readonly sequence: number | undefined;
  };
}

export interface ReadSeen extends Operation {
  readonly kind: 'read';
  readonly source: string;
  /** `null` = absent. */
  readonly version: string | null;
}

export type Seen = WriteSeen | ReadSeen;

/** The log in which the write of that version was made first. */
export function logOf(version: string): string {
  const stamp = parseStamp(version);
  if (stamp === undefined) throw new Error(`${version} is no version`);
  return stampParts(stamp).log;
}

/** A user of some keys of its own, who moves between all nodes and takes the session along, and remembers all it saw. */
export class ChaosUser {
  readonly seen: Seen[] = [];
  /** What no node may do, whatever befalls it. */
  readonly violations: string[] = [];
  readonly keys: readonly string[];
  readonly #handles = new Map<string, ClusterHandle>();
  readonly #random: SeededRandom;
  readonly #tally: Tally;
  #session = '';
  #latest = '';
  #attempts = 0;

  constructor(cluster: ChaosCluster, random: SeededRandom, name: string, tally: Tally) {
    this.#random = random;
    this.keys = Array.from({ length: 8 }, (_, i) => `${name}-${i}`);
    this.#tally = tally;
    for (const node of cluster.names) this.#handles.set(node, cluster.connect(node, callMs));
  }

  get session(): string {
    return this.#session;
  }

  async run(until: () => boolean): Promise<void> {
    while (!until()) await this.#operate();
    for (const handle of this.#handles.values()) handle.close();
  }

  async #operate(): Promise<void> {
    const at = this.#random.pick([...this.#handles.keys()]);
    const key = this.#random.pick(this.keys);
    const handle = this.#handles.get(at);
    if (handle === undefined) return;
    if (this.#session !== '') handle.session.import(this.#session);
    const startedMs = Date.now();
    const kind = this.#random.chance(0.6) ? 'read' : this.#random.chance(0.8) ? 'put' : 'delete';
    const [asked, answered] = kind === 'read' ? (['unread', 'read'] as const) : (['refused', 'written'] as const);
    try {
      const seen = kind === 'read' ? await this.#read(handle, key) : await this.#write(handle, kind, key);
      this.#session = handle.session.export();
      this.seen.push({ ...seen, key, at, startedMs, endedMs: Date.now() } as Seen);
      this.#tally[answered]++;
    } catch (error) {
      this.#tally[asked]++;
      if (kind !== 'read') this.seen.push({ kind, key, at, startedMs, endedMs: Date.now() });
      this.#failed(error, `${at} ${key}`);
      // What answers at once that it cannot is not asked a thousand times a second.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #failed(error: unknown, where: string): void {
    if (!isMeridianError(error)) this.violations.push(`${where}: ${(error as Error).stack}`);
    else if (error.code === 'NOT_FOUND') this.violations.push(`${where}: ${error.message}`);
    else {
      const why =
        error.code === 'INTERNAL' ? `INTERNAL ${error.message}` : `${error.code} ${error.details.reason ?? ''}`;
      this.#tally.reasons.set(why, (this.#tally.reasons.get(why) ?? 0) + 1);
    }
  }

  async #write(
    handle: ClusterHandle,
    kind: 'put' | 'delete',
    key: string,
  ): Promise<Pick<WriteSeen, 'kind' | 'written'>> {
    const durability = this.#random.pick(['local', 'majority', 'all'] as const);
    const mutation = kind === 'put' ? { kind, key, value: `${key} ${++this.#attempts}` } : { kind, key };
    const written = await writeOne(handle, mutation, { durability, durabilityTimeoutMs: 500 });
    if (written.version <= this.#latest) {
      this.violations.push(`${key}: a later write of the session has version ${written.version} <= ${this.#latest}`);
    }
    this.#latest = written.version;
    return { kind, written };
  }

  async #read(handle: ClusterHandle, key: string): Promise<Pick<ReadSeen, 'kind' | 'version' | 'source'>> {
    const { version, source } = await handle.namespace('chaos').getWithMetadata(key);
    return { kind: 'read', version, source };
  }
}

/** The handle's session tells where it is afterwards. */
export async function writeOne(
  handle: ClusterHandle,
  mutation:
    | { readonly kind: 'put'; readonly key: string; readonly value: string }
    | { readonly kind: 'delete'; readonly key: string },
  options: { readonly durability: Durability; readonly durabilityTimeoutMs: number },
): Promise<NonNullable<WriteSeen['written']>> {
  const { written, durability, origin } = await handle.namespace('chaos').write([mutation], options);
  const version = written[0]?.version ?? '';
  const { vector } = JSON.parse(handle.session.export()) as { vector: Record<string, number> };
  return { version, durability, member: origin, sequence: vector[logOf(version)] };
}
