import type { ListedKey } from '../model/key-value.ts';
import { encodeListCursor } from '../model/list-cursor.ts';
import type { NamespaceId } from '../model/namespace.ts';
import { isReadable } from '../model/record.ts';
import type { Snapshot } from '../store/store.ts';

export interface ListPage {
  readonly keys: readonly ListedKey[];
  readonly cursor?: string;
}

/** Heads that one page may pass over (tombstones, expired records) before it ends early with a cursor. */
const headsMax = 20_000;

/** One page of the readable keys of a store. The page may be short, even empty, where many dead records lie between. */
export async function listPage(
  snapshot: Snapshot,
  { namespace, prefix, after, limit }: { namespace: NamespaceId; prefix: string; after?: string; limit: number },
  nowMs: number,
): Promise<ListPage> {
  const keys: ListedKey[] = [];
  let seen = 0;
  let last: string | undefined;
  const range = {
    namespace,
    prefix,
    ...(after === undefined ? {} : { after: { namespace, key: after } }),
    pageRecordsMax: Math.min(256, limit + 1),
  };
  for await (const page of snapshot.records(range)) {
    for (const head of page) {
      if (last !== undefined && (keys.length >= limit || seen >= headsMax)) {
        return { keys, cursor: encodeListCursor(namespace, prefix, last) };
      }
      seen++;
      last = head.key;
      if (!isReadable(head, nowMs)) continue;
      const { key, stamp, metadata, expiresAt, valueBytes } = head;
      keys.push({
        key,
        stamp,
        valueBytes,
        ...(metadata === undefined ? {} : { metadata }),
        ...(expiresAt === undefined ? {} : { expiresAt }),
      });
    }
  }
  return { keys };
}
