export interface GroupBounds {
  /** Bytes of one group; a larger item stands alone. */
  readonly bytesMax: number;
  /** Items of one group. Default: any number. */
  readonly itemsMax?: number;
}

/** Items one after another in groups of bounded size, none of them empty. */
export function* groupsOf<T extends { readonly bytes: number }>(
  items: Iterable<T>,
  { bytesMax, itemsMax = Number.POSITIVE_INFINITY }: GroupBounds,
): Generator<readonly T[]> {
  let group: T[] = [];
  let bytes = 0;
  for (const item of items) {
    if (group.length > 0 && (group.length === itemsMax || bytes + item.bytes > bytesMax)) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(item);
    bytes += item.bytes;
  }
  if (group.length > 0) yield group;
}
