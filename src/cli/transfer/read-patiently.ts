import type { Entry, Key, ListOptions, ListResult } from '../../client/listing.ts';
import type { EntriesOptions, Namespace, PrefixOptions } from '../../client/namespace.ts';
import { compareKeys } from '../../model/key.ts';
import { type Patience, patiently, Tries } from './patiently.ts';

/*
 * Reading a namespace takes many calls, and does no harm when one is made again. So a node that goes away for a moment does
 * not end it: the reading goes on from the last cursor. Only the first call fails at once. Nothing is lost by then, and an
 * address that is wrong should be told at once.
 */

export interface Reading extends Patience {
  readonly signal: AbortSignal;
}

type Listing = Pick<Namespace, 'list'>;

/** Pages of keys, each with its cursor. The first one begins behind `cursor`; each has up to what `limitOf` says. */
export async function* pagesPatiently(
  namespace: Listing,
  { signal, ...patience }: Reading,
  { cursor, ...asked }: Omit<ListOptions, 'limit'> & PrefixOptions,
  limitOf: () => number | undefined = () => undefined,
): AsyncGenerator<ListResult<unknown>, void, undefined> {
  const pageAt = (at: string | null | undefined): Promise<ListResult<unknown>> => {
    const limit = limitOf();
    return namespace.list({ ...asked, signal, cursor: at ?? null, ...(limit === undefined ? {} : { limit }) });
  };
  let page = await pageAt(cursor);
  for (;;) {
    yield page;
    if (page.list_complete) return;
    const { cursor: next } = page;
    page = await patiently(() => pageAt(next), patience, signal);
  }
}

/** All keys of a prefix. */
export async function* keysPatiently(
  namespace: Listing,
  reading: Reading,
  { onAnswer, ...asked }: PrefixOptions,
): AsyncGenerator<Key<unknown>, void, undefined> {
  for await (const page of pagesPatiently(namespace, reading, asked)) {
    onAnswer?.(page);
    yield* page.keys;
  }
}

/** All records of a prefix. What was told behind the last cursor comes again, and is not told twice. */
export async function* entriesPatiently(
  namespace: Pick<Namespace, 'entries'>,
  reading: Reading,
  { cursor: from, onDamaged, ...asked }: EntriesOptions,
): AsyncGenerator<Entry<unknown>, void, undefined> {
  const tries = new Tries(reading, reading.signal);
  let cursor = from;
  let hasAnswered = false;
  let told: string | undefined;
  // The damaged ones of a page are told before its records.
  let toldDamaged: string | undefined;
  const passBy = (name: string) => {
    hasAnswered = true;
    if (!isBehind(name, toldDamaged)) return;
    toldDamaged = name;
    onDamaged?.(name);
  };
  for (;;) {
    try {
      const goOn = { ...(cursor === undefined ? {} : { cursor }), ...(onDamaged && { onDamaged: passBy }) };
      for await (const entry of namespace.entries({ ...asked, signal: reading.signal, ...goOn })) {
        hasAnswered = true;
        tries.succeeded();
        if (entry.cursor !== undefined) ({ cursor } = entry);
        if (!isBehind(entry.name, told)) continue;
        told = entry.name;
        yield entry;
      }
      return;
    } catch (error) {
      if (!hasAnswered) throw error;
      await tries.failed(error);
    }
  }
}

/** Keys come in the order of their bytes. */
function isBehind(name: string, last: string | undefined): boolean {
  return last === undefined || compareKeys(name, last) > 0;
}
