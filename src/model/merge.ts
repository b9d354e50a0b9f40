import type { Head, Record } from './record.ts';

type Mergeable = Pick<Head | Record, 'kind' | 'stamp'>;

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

/** The record to keep of two for one key; `held` itself where nothing changes. */
export function merge<R extends Record>(incoming: R, held: R | undefined): R {
  if (held === undefined) return incoming;
  return replaces(incoming, held) ? inPlaceOf(held, incoming) : held;
}

/** What is kept when a record replaces the held one: of one write in two forms, the held position stays. */
export function inPlaceOf<R extends Record>(held: Head | Record, incoming: R): R {
  return incoming.stamp === held.stamp ? { ...incoming, position: held.position } : incoming;
}
