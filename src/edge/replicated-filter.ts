import { everything, type Filter, type KeyRange, registryRange } from '../model/filter.ts';
import type { NamespaceInfo } from '../model/namespace.ts';
import { namesNamespace } from '../model/token.ts';

/** What an edge shall hold, as its operator wrote it. */
export interface Patterns {
  /** What is copied: `*`, `title`, `title/prefix*`. */
  readonly replicate: readonly string[];
  /** What else may be cached: the same, or the beginning of titles (`team-*`, `team-*`/`prefix*`). Default: `*`. */
  readonly cache?: readonly string[];
}

/** What an edge copies and caches, resolved, and the patterns that name no existing namespace. */
export interface ReplicatedFilter {
  /** Undefined if nothing is copied. */
  readonly copied: Filter | undefined;
  /** Undefined if everything is copied. */
  readonly cached: Filter | undefined;
  /** As flags. */
  readonly unknown: readonly string[];
}

/** Whether the patterns mean the same for any set of namespaces. */
export function areFixed({ replicate, cache = ['*'] }: Patterns): boolean {
  return replicate.includes('*') || (replicate.length === 0 && cache.includes('*'));
}

/**
 * Resolves patterns: `*` is everything, `title` a namespace, `title/prefix*` the keys of it that start with the prefix.
 * Each scope includes the registry (architecture §3).
 */
export function resolvePatterns(
  { replicate, cache = ['*'] }: Patterns,
  known: readonly NamespaceInfo[],
): ReplicatedFilter {
  if (replicate.includes('*')) return { copied: everything, cached: undefined, unknown: [] };
  const unknown: string[] = [];
  const rangesOf = (flag: string, patterns: readonly string[], resolve: (pattern: string) => readonly KeyRange[]) => {
    return patterns.flatMap((pattern) => {
      const ranges = resolve(pattern);
      if (ranges.length === 0 && !beginning.test(pattern)) unknown.push(`--${flag} ${pattern}`);
      return ranges;
    });
  };
  const copied = rangesOf('replicate', replicate, (pattern) => rangeOf(pattern, known));
  const isAll = cache.includes('*');
  const cached = isAll
    ? []
    : rangesOf('cache', cache, (pattern) => [...begunBy(pattern, known), ...rangeOf(pattern, known)]);
  return {
    copied: replicate.length === 0 ? undefined : { includes: [registryRange, ...copied], excludes: [] },
    cached: { includes: isAll ? everything.includes : [registryRange, ...cached], excludes: copied },
    unknown,
  };
}

/** `team-*`, or `team-*\/prefix*`. */
const beginning = /^([^*/]*\*)(?:\/([^*]*)\*)?$/;

/** The namespaces whose titles begin like this. */
function begunBy(pattern: string, known: readonly NamespaceInfo[]): readonly KeyRange[] {
  const [, titles, prefix = ''] = beginning.exec(pattern) ?? [];
  if (titles === undefined) return [];
  return known.filter((one) => namesNamespace(titles, one)).map(({ id }) => ({ namespace: id, prefix }));
}

/** One range, or none if there is no such namespace. */
function rangeOf(pattern: string, known: readonly NamespaceInfo[]): readonly KeyRange[] {
  const find = (name: string) => known.find(({ id, title }) => title === name || id === name);
  const whole = find(pattern);
  if (whole !== undefined) return [{ namespace: whole.id, prefix: '' }];
  if (!pattern.endsWith('*')) return [];
  // A title may contain slashes: the longest existing title is meant.
  for (let slash = pattern.lastIndexOf('/'); slash > 0; slash = pattern.lastIndexOf('/', slash - 1)) {
    const namespace = find(pattern.slice(0, slash));
    if (namespace !== undefined) return [{ namespace: namespace.id, prefix: pattern.slice(slash + 1, -1) }];
  }
  return [];
}
