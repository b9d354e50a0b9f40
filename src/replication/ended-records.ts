import type { Head } from '../model/record.ts';
import type { Ledger } from './ledger.ts';

/** The heads of one kind that ended at or before the second, page by page. */
export async function eachEnded(
  ledger: Ledger,
  kind: 'live' | 'tombstone',
  throughSeconds: number,
  signal: AbortSignal,
  take: (heads: readonly Head[]) => Promise<void>,
): Promise<void> {
  if (throughSeconds < 0) return;
  const { snapshot } = ledger.instant();
  try {
    for await (const heads of snapshot.ended(kind, throughSeconds)) {
      signal.throwIfAborted();
      await take(heads);
    }
  } finally {
    await snapshot.close();
  }
}

/** The held head, if it is still the one that was seen. */
export function unchanged(seen: Head, held: Head | undefined): Head | undefined {
  return held !== undefined && held.stamp === seen.stamp && held.kind === seen.kind ? held : undefined;
}
