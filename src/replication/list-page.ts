import type { ListedKey } from '../model/key-value.ts';
import { encodeListCursor } from '../model/list-cursor.ts';
import type { NamespaceId } from '../model/namespace.ts';
import { isReadable, type LiveHead } from '../model/record.ts';
import { emptySession, type Session } from '../model/session.ts';
import { bottomStamp, laterStamp } from '../model/stamp.ts';
import { type VersionVector, withPosition } from '../model/version-vector.ts';
import type { Snapshot } from '../store/store.ts';
import type { Logs } from './logs.ts';
import { withDamaged } from './with-damaged.ts';

export interface ListPage {
  readonly keys: readonly ListedKey[];
  readonly cursor?: string;
  /** What the page shows, tombstones too: positions beyond `covered`, and the highest stamp (rule R14). */
  readonly seen: Session;
}

export interface ListRange {
  readonly namespace: NamespaceId;
  readonly prefix: string;
  readonly after?: string;
  readonly limit: number;
}

/** Heads that one page may pass over (tombstones, expired records) before it ends early with a cursor. */
const headsMax = 20_000;

/**
 * One page of the readable keys of a store with this covered vector. Damaged keys are listed as such: a list never
 * leaves a key out silently. The page may be short, even empty, where many dead records lie between.
 */
export async function listPage(
  snapshot: Snapshot,
  { namespace, prefix, after, limit }: ListRange,
  { covered, logs }: { readonly covered: VersionVector; readonly logs: Logs },
  nowMs: number,
): Promise<ListPage> {
  const keys: ListedKey[] = [];
  let { vector, stamp: highest } = emptySession;
  let passed = 0;
  let last: string | undefined;
  const range = {
    namespace,
    prefix,
    ...(after === undefined ? {} : { after: { namespace, key: after } }),
    pageRecordsMax: Math.min(256, limit + 1),
  };
  for await (const head of withDamaged(snapshot, range)) {
    if (last !== undefined && (keys.length >= limit || passed >= headsMax)) {
      return { keys, seen: { vector, stamp: highest }, cursor: encodeListCursor(namespace, prefix, last) };
    }
    passed++;
    last = head.key;
    if (head.kind === 'damaged') {
      keys.push({ key: head.key, damaged: true, stamp: bottomStamp, valueBytes: 0 });
      continue;
    }
    highest = laterStamp(highest, head.stamp);
    // A scan or an unfinished step may have brought the record before the covered vector includes it.
    if (!logs.coversPosition(covered, head.position)) vector = withPosition(vector, head.position);
    if (isReadable(head, nowMs)) keys.push(listed(head));
  }
  return { keys, seen: { vector, stamp: highest } };
}

function listed({ key, stamp, metadata, expiresAt, valueBytes }: LiveHead): ListedKey {
  return {
    key,
    stamp,
    valueBytes,
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}
