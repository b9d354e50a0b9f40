import { isMeridianError } from '../model/errors.ts';
import type { Filter } from '../model/filter.ts';
import { type NamespaceId, type NamespaceInfo, registryNamespace } from '../model/namespace.ts';

/**
 * Namespaces that the patterns of an edge's cache name and its token does not show it. A feed of several is refused whole
 * where one of them is out of the token's reach: its title was changed out of it, say, which the edge would learn from the
 * feed alone. So the cache leaves out what it cannot have, until its title changes or the upstream shows it.
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

  /** What may be followed of these, as they are called now. */
  without(known: readonly NamespaceInfo[]): readonly NamespaceInfo[] {
    for (const { id, title } of known) if ((this.#titles.get(id) ?? title) !== title) this.#titles.delete(id);
    return this.isEmpty ? known : known.filter(({ id }) => !this.#titles.has(id));
  }

  /** What the upstream shows, held against what is followed by name. */
  learn(shown: readonly NamespaceInfo[], { includes }: Filter, known: readonly NamespaceInfo[]): void {
    const mayHave = new Set<string>(shown.map(({ id }) => id));
    for (const id of [...this.#titles.keys()]) if (mayHave.has(id)) this.#titles.delete(id);
    for (const { namespace } of includes) {
      if (namespace === '*' || namespace === registryNamespace || mayHave.has(namespace)) continue;
      this.#titles.set(namespace, known.find(({ id }) => id === namespace)?.title ?? namespace);
    }
  }
}

/** The upstream let the edge not follow what it asked for. */
export function isOutOfScope(error: unknown): boolean {
  return isMeridianError(error, 'PERMISSION_DENIED') && error.details.reason === 'out-of-scope';
}
