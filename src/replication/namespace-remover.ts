import type { RecordKey } from '../model/key.ts';
import { type NamespaceId, namespaceIdIn, registryNamespace } from '../model/namespace.ts';
import { holds } from '../model/rules.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Ledger } from './ledger.ts';
import type { ReplicationObserver } from './observer.ts';
import { removeRecords } from './remove-records.ts';

export interface NamespaceRemoverOptions {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly observer: ReplicationObserver;
  /** Milliseconds between looks; a deletion is also noticed at once. */
  readonly garbageIntervalMs: number;
  /** Told after records were removed. */
  readonly changed?: () => void;
}

/**
 * Removes what dead namespaces left (rule R18), page by page. Progress is read from the store itself: a dead namespace
 * is done when it holds no record, so a crash half-way is nothing special.
 */
export class NamespaceRemover {
  readonly #options: NamespaceRemoverOptions;
  /** The burials of the namespaces that are done. */
  readonly #removed = new Map<NamespaceId, number>();

  constructor(options: NamespaceRemoverOptions) {
    this.#options = options;
  }

  /** A dead namespace's tombstone may go only once this node holds nothing of it: otherwise its records would stay. */
  mayPurge({ namespace, key }: RecordKey): boolean {
    const id = namespace === registryNamespace ? namespaceIdIn(key) : undefined;
    return id === undefined || this.hasRemoved(id);
  }

  /** True once this node holds nothing of the namespace. */
  hasRemoved(id: NamespaceId): boolean {
    const burial = this.#removed.get(id);
    return burial !== undefined && burial === this.#options.ledger.registry.burial(id);
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.remove(signal).catch((error: unknown) => this.#options.observer.commitFailed(error));
      await sleep(this.#options.clock, this.#options.garbageIntervalMs, signal);
    }
  }

  /** One round over every dead namespace that is not done. */
  async remove(signal: AbortSignal): Promise<void> {
    const { registry } = this.#options.ledger;
    for (const id of this.#removed.keys()) if (!registry.isDead(id)) this.#removed.delete(id);
    for (const id of registry.dead()) {
      const burial = registry.burial(id);
      if (burial === undefined || this.hasRemoved(id) || !holds('R18 the data go')) continue;
      // While this runs, the deletion may turn out to be lost with an origin.
      const only = () => registry.burial(id) === burial;
      const seen = await removeRecords(this.#options.ledger, { namespace: id }, { sync: true, signal, only });
      // A write decided in the same commit as the deletion may still come: only a look that finds nothing is the end.
      if (seen > 0) {
        this.#options.changed?.();
        continue;
      }
      this.#removed.set(id, burial);
      await this.#options.ledger.store.reclaim(id);
    }
  }
}
