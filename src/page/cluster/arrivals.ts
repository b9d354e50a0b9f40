import type { TrackJson, WrittenJson } from '../../http/page/page-json.ts';

/**
 * By node, the milliseconds within which it had the change; undefined = it has not said so yet. A node that is missing is
 * not known from here: whoever it follows is asked neither by this node nor by those around it.
 */
export type Arrivals = ReadonlyMap<string, number | undefined>;

/** Along a chain the bounds add up: each was measured by one clock, from when its node had the change. */
export function arrivalsOf({ tellers }: TrackJson, { origin }: Pick<WrittenJson, 'origin'>): Arrivals {
  const arrivals = new Map<string, number | undefined>([[origin, 0]]);
  const open = new Set(tellers);
  for (let grew = true; grew; ) {
    grew = false;
    for (const teller of open) {
      const fromMs = arrivals.get(teller.id);
      if (fromMs === undefined) continue;
      open.delete(teller);
      grew = true;
      for (const { id, elapsedMs } of teller.arrivals) {
        const withinMs = elapsedMs === undefined ? undefined : fromMs + elapsedMs;
        const known = arrivals.get(id);
        if (!arrivals.has(id) || known === undefined || (withinMs ?? known) < known) arrivals.set(id, withinMs);
      }
    }
  }
  return arrivals;
}
