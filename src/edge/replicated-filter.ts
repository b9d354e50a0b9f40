import type { Filter, KeyRange } from '../model/filter.ts';
import { everything, registryRange } from '../model/filter.ts';
import type { NamespaceInfo } from '../model/namespace.ts';

/** What an edge copies, resolved, and the patterns that name no namespace that exists. */
export interface ReplicatedFilter {
  /** Undefined where nothing is copied at all. */
  readonly copied: Filter | undefined;
  /** Undefined where everything is copied. */
  readonly cached: Filter | undefined;
  readonly unknown: readonly string[];
}

/**
 * Resolves patterns: `*` is everything, `title` a namespace, `title/prefix*` the keys of it that start with the prefix.
 * Each scope includes the registry (architecture §3).
 */
export function resolvePatterns(
  patterns: readonly string[],
  resolve: (name: string) => NamespaceInfo | undefined,
): ReplicatedFilter {
  if (patterns.includes('*')) return { copied: everything, cached: undefined, unknown: [] };
  const ranges: KeyRange[] = [];
  const unknown: string[] = [];
  for (const pattern of patterns) {
    const range = rangeOf(pattern, resolve);
    if (range === undefined) unknown.push(pattern);
    else ranges.push(range);
  }
  return {
    copied: patterns.length === 0 ? undefined : { includes: [registryRange, ...ranges], excludes: [] },
    cached: { includes: everything.includes, excludes: ranges },
    unknown,
  };
}

function rangeOf(pattern: string, resolve: (name: string) => NamespaceInfo | undefined): KeyRange | undefined {
  const whole = resolve(pattern);
  if (whole !== undefined) return { namespace: whole.id, prefix: '' };
  if (!pattern.endsWith('*')) return undefined;
  // A title may hold slashes itself: the longest title that exists is meant.
  for (let slash = pattern.lastIndexOf('/'); slash > 0; slash = pattern.lastIndexOf('/', slash - 1)) {
    const namespace = resolve(pattern.slice(0, slash));
    if (namespace !== undefined) return { namespace: namespace.id, prefix: pattern.slice(slash + 1, -1) };
  }
  return undefined;
}
