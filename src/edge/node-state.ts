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
  /** The cluster is being kept for the first time; a disk may have failed before. */
  #joining: Promise<void> | undefined;
  #isKept = true;

  private constructor(store: Store, kept: Kept) {
    this.#store = store;
    this.#kept = kept;
  }

  static async open(store: Store, random: Random): Promise<NodeState> {
    const stored = await store.meta(stateName);
    if (stored !== undefined) return new NodeState(store, JSON.parse(Buffer.from(stored).toString()) as Kept);
    const state = new NodeState(store, { id: random.hex(8), namespaces: [] });
    await state.keep();
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
    await this.#joining?.catch(() => {});
    if (this.#kept.clusterId !== undefined && this.#kept.clusterId !== clusterId) {
      throw new MeridianError(
        'FAILED_PRECONDITION',
        `this edge's data are of cluster ${this.#kept.clusterId}, the upstream is of ${clusterId}`,
        { reason: 'other-cluster' },
      );
    }
    if (this.#kept.clusterId === clusterId && this.#isKept) return;
    const isFirst = this.#kept.clusterId === undefined;
    this.#joining = this.#keepCluster(clusterId).finally(() => {
      this.#joining = undefined;
    });
    await this.#joining.catch((error: unknown) => {
      // Whoever follows needs nothing of this store but that, and what it takes opens the store again: then it is kept.
      if (isFirst) throw error;
    });
  }

  async #keepCluster(clusterId: string): Promise<void> {
    this.#isKept = false;
    this.#kept = { ...this.#kept, clusterId };
    await this.keep();
    this.#isKept = true;
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
    const meta = new Map([[stateName, Buffer.from(JSON.stringify(this.#kept))]]);
    await this.#store.commit({ puts: [], removals: [], meta, sync: true });
  }
}
