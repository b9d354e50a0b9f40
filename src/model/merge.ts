import type { Head, Record } from './record.ts';
import { stampParts } from './stamp.ts';

type Mergeable = Pick<Head | Record, 'kind' | 'stamp'>;
type Placed = Pick<Head | Record, 'kind' | 'stamp' | 'position'>;

/**
 * The merge rule: does `incoming` replace what is held? The later stamp wins. Equal stamps are one write in two forms:
 * the form with its value wins over the one that dropped it, at the position held.
 * Commutative, associative and idempotent (test/model/merge.test.ts).
 */
export function replaces(incoming: Mergeable, held: Mergeable | undefined): boolean {
  if (held === undefined) return true;
  if (incoming.stamp !== held.stamp) return incoming.stamp > held.stamp;
  return incoming.kind === 'live' && held.kind === 'tombstone';
}

/**
 * True where another origin has adopted the write that is held, in the same form or a fuller one: it has its place there
 * from now on (rules R16, R23).
 */
export function movesTo(incoming: Placed, held: Placed | undefined): boolean {
  return held !== undefined && isAdopted(incoming) && !isAdopted(held) && isSameOrFuller(incoming, held);
}

/** True where both are one write, and the incoming form drops no value that is held. */
export function isSameOrFuller(incoming: Mergeable, held: Mergeable): boolean {
  return incoming.stamp === held.stamp && (incoming.kind === 'live' || held.kind === 'tombstone');
}

/** A write stands in the log of the origin that stamped it until another one adopts it. */
function isAdopted({ stamp, position }: Placed): boolean {
  return stampParts(stamp).origin !== position.origin;
}

/** The record to keep of two for one key; `held` itself where nothing changes. */
export function merge<R extends Record>(incoming: R, held: R | undefined): R {
  if (held === undefined) return incoming;
  return replaces(incoming, held) ? inPlaceOf(held, incoming) : held;
}

/** What is kept of a record that replaces what is held: of one write in two forms the position held stays. */
export function inPlaceOf<R extends Record>(held: Head | Record, incoming: R): R {
  return incoming.stamp === held.stamp ? { ...incoming, position: held.position } : incoming;
}
