import type { Change } from '../model/feed.ts';
import { headOf } from '../model/record.ts';

/** What a change adds to a commit, about. */
export function changeBytes(record: Change): number {
  const head = record.kind === 'live' ? headOf(record) : record;
  return 128 + head.key.length + (head.kind === 'live' ? head.valueBytes : 0);
}
