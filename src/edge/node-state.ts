import { MeridianError } from '../model/errors.ts';
import type { NamespaceInfo } from '../model/namespace.ts';
import type { Random } from '../runtime/random.ts';
import type { Store } from '../store/store.ts';

const stateName = 'edge/node';

interface Kept {
  readonly id: string;
  readonly clusterId?: string;
  readonly namespaces: readonly NamespaceInfo[];
  /** Milliseconds: this machine's wall clock minus the root's, if that is more than clocks may differ. */
  readonly clockOffsetMs?: number;
}

/** What an edge keeps of itself across restarts: its id, its cluster, and what its patterns were resolved by. */
export class NodeState {
  readonly #store: Store;
  #kept: Kept;
  /** Set while the cluster id is stored. `#isKept` is false after the disk failed at that. */
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

  /** The namespaces by which the patterns were resolved last. */
  namespaces(): readonly NamespaceInfo[] {
    return this.#kept.namespaces;
  }

  /** @throws FAILED_PRECONDITION if the edge's data belong to another cluster */
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
      // A feed needs nothing else of this store, and what it brings opens the store again: the next join keeps the id.
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
