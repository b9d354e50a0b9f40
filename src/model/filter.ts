import { compareKeys } from './key.ts';
import { type NamespaceId, registryNamespace } from './namespace.ts';

/** The keys of one namespace that start with `prefix`; the empty prefix means all of them. */
export interface KeyRange {
  /** `'*'` is every namespace, the registry too; then the prefix is empty. */
  readonly namespace: NamespaceId | '*';
  readonly prefix: string;
}

/** A part of the key space: what some include covers and no exclude does. */
export interface Filter {
  readonly includes: readonly KeyRange[];
  readonly excludes: readonly KeyRange[];
}

export const everything: Filter = { includes: [{ namespace: '*', prefix: '' }], excludes: [] };
export const registryRange: KeyRange = { namespace: registryNamespace, prefix: '' };

export function matches(filter: Filter, namespace: NamespaceId, key: string): boolean {
  return (
    filter.includes.some((range) => inRange(range, namespace, key)) &&
    !filter.excludes.some((range) => inRange(range, namespace, key))
  );
}

/** True where every key of the range is in the part: one include holds it whole, and no exclude touches it. */
export function containsRange(filter: Filter, range: KeyRange): boolean {
  return filter.includes.some((i) => within(range, i)) && !filter.excludes.some((e) => overlap(range, e));
}

/** True where every key of `inner` is in `outer`, as far as their ranges show. */
export function containsFilter(outer: Filter, inner: Filter): boolean {
  return inner.includes.every(
    (range) =>
      outer.includes.some((i) => within(range, i)) &&
      outer.excludes.every((e) => !overlap(range, e) || inner.excludes.some((x) => within(e, x))),
  );
}

/** One text for one filter, so that followers of the same scope share what is encoded. */
export function filterKey(filter: Filter): string {
  const text = (ranges: readonly KeyRange[]) => ranges.map((r) => JSON.stringify([r.namespace, r.prefix])).sort();
  return JSON.stringify([text(filter.includes), text(filter.excludes)]);
}

/** The prefixes of a namespace that the filter includes, less its excludes; none where it holds nothing of it. */
export function prefixesOf({ includes }: Filter, namespace: NamespaceId): readonly string[] {
  const mine = includes.filter((range) => range.namespace === '*' || range.namespace === namespace);
  return mine.some(({ prefix }) => prefix === '') ? [''] : mine.map(({ prefix }) => prefix).sort();
}

/** The includes in the order of records, without those that lie within another one: what a scan of the part walks. */
export function rangesOf({ includes }: Filter): readonly KeyRange[] {
  return includes
    .filter((range, at) => {
      return !includes.some(
        (other, index) => index !== at && within(range, other) && (index < at || !within(other, range)),
      );
    })
    .toSorted((a, b) =>
      a.namespace === b.namespace ? compareKeys(a.prefix, b.prefix) : a.namespace < b.namespace ? -1 : 1,
    );
}

function inRange(range: KeyRange, namespace: NamespaceId, key: string): boolean {
  return (range.namespace === '*' || range.namespace === namespace) && key.startsWith(range.prefix);
}

function within(inner: KeyRange, outer: KeyRange): boolean {
  return (outer.namespace === '*' || outer.namespace === inner.namespace) && inner.prefix.startsWith(outer.prefix);
}

function overlap(a: KeyRange, b: KeyRange): boolean {
  return (
    (a.namespace === '*' || b.namespace === '*' || a.namespace === b.namespace) &&
    (a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix))
  );
}
