import { MeridianError } from '../model/errors.ts';
import type { NamespaceInfo } from '../model/namespace.ts';
import type { Random } from '../runtime/random.ts';
import type { Store } from '../store/store.ts';

const stateName = 'edge/node';

interface Kept {
  readonly id: string;
  readonly clusterId?: string;
  readonly namespaces: readonly NamespaceInfo[];
  /** Milliseconds: this machine's wall clock less the root's, where that is more than clocks may differ. */
  readonly clockOffsetMs?: number;
}

/** What an edge knows of itself across restarts: its id, its cluster, and what its patterns were resolved by. */
export class NodeState {
  readonly #store: Store;
  #kept: Kept;
  /** What the store has of it for certain. */
  #stored: Kept | undefined;

  private constructor(store: Store, kept: Kept) {
    this.#store = store;
    this.#kept = kept;
  }

  static async open(store: Store, random: Random): Promise<NodeState> {
    const stored = await store.meta(stateName);
    const kept = stored && (JSON.parse(Buffer.from(stored).toString()) as Kept);
    const state = new NodeState(store, kept ?? { id: random.hex(8), namespaces: [] });
    if (kept === undefined) await state.keep();
    else state.#stored = kept;
    return state;
  }

  get id(): string {
    return this.#kept.id;
  }

  get clusterId(): string | undefined {
    return this.#kept.clusterId;
  }

  get clockOffsetMs(): number | undefined {
    return this.#kept.clockOffsetMs;
  }

  /** As the patterns were resolved last. */
  namespaces(): readonly NamespaceInfo[] {
    return this.#kept.namespaces;
  }

  /** @throws FAILED_PRECONDITION where the edge's data are of another cluster */
  async join(clusterId: string): Promise<void> {
    // A disk may have failed as it was to be kept.
    if (this.#kept.clusterId === clusterId) return this.#stored === this.#kept ? undefined : this.keep();
    if (this.#kept.clusterId !== undefined) {
      throw new MeridianError(
        'FAILED_PRECONDITION',
        `this edge's data are of cluster ${this.#kept.clusterId}, the upstream is of ${clusterId}`,
        { reason: 'other-cluster' },
      );
    }
    this.#kept = { ...this.#kept, clusterId };
    await this.keep();
  }

  rememberClockOffset(clockOffsetMs: number): Promise<void> {
    this.#kept = { ...this.#kept, clockOffsetMs };
    return this.keep();
  }

  /** Stored with the next `keep`. */
  rememberNamespaces(namespaces: readonly NamespaceInfo[]): void {
    this.#kept = { ...this.#kept, namespaces };
  }

  /** Stores it, whatever became of the store meanwhile. */
  async keep(): Promise<void> {
    const kept = this.#kept;
    const meta = new Map([[stateName, Buffer.from(JSON.stringify(kept))]]);
    await this.#store.commit({ puts: [], removals: [], meta, sync: true });
    this.#stored = kept;
  }
}
