import { isMeridianError } from '../model/errors.ts';
import type { Filter } from '../model/filter.ts';
import { type NamespaceId, type NamespaceInfo, registryNamespace } from '../model/namespace.ts';

/**
 * Namespaces that the patterns of an edge's cache name and that its token may not see. A feed of several namespaces is
 * refused whole if one of them is out of the token's reach: its title was changed, say, which the edge would learn only
 * from the feed. So the cache leaves out what it may not have, until the title changes or the upstream shows the
 * namespace.
 */
export class RefusedNamespaces {
  readonly #titles = new Map<NamespaceId, string>();

  get isEmpty(): boolean {
    return this.#titles.size === 0;
  }

  /** Titles, in order. */
  get titles(): readonly string[] {
    return [...this.#titles.values()].sort();
  }

  /** The namespaces of these that may be followed, by their titles of now. */
  without(known: readonly NamespaceInfo[]): readonly NamespaceInfo[] {
    for (const { id, title } of known) if ((this.#titles.get(id) ?? title) !== title) this.#titles.delete(id);
    return this.isEmpty ? known : known.filter(({ id }) => !this.#titles.has(id));
  }

  /** Compares what the upstream shows with what is followed by name. */
  learn(shown: readonly NamespaceInfo[], { includes }: Filter, known: readonly NamespaceInfo[]): void {
    const mayHave = new Set<string>(shown.map(({ id }) => id));
    for (const id of [...this.#titles.keys()]) if (mayHave.has(id)) this.#titles.delete(id);
    for (const { namespace } of includes) {
      if (namespace === '*' || namespace === registryNamespace || mayHave.has(namespace)) continue;
      this.#titles.set(namespace, known.find(({ id }) => id === namespace)?.title ?? namespace);
    }
  }
}

/** True if the upstream refused to let the edge follow what it asked for. */
export function isOutOfScope(error: unknown): boolean {
  return isMeridianError(error, 'PERMISSION_DENIED') && error.details.reason === 'out-of-scope';
}
