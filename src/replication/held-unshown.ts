import type { Changes, ScanRange } from '../model/feed.ts';
import { compareRecordKeys, type RecordKey } from '../model/key.ts';
import type { Ledger } from './ledger.ts';

/** The keys of records that are held within the range and that the event does not show: what a sweep looks at (R7). */
export async function heldUnshown(ledger: Ledger, { after, through }: ScanRange, event: Changes): Promise<RecordKey[]> {
  const shown = new Set(event.records.map((record) => record.namespace + record.key));
  const held: RecordKey[] = [];
  const snapshot = ledger.store.snapshot();
  try {
    for await (const page of snapshot.records(after === undefined ? {} : { after })) {
      for (const head of page) {
        if (through !== undefined && compareRecordKeys(head, through) > 0) return held;
        if (!shown.has(head.namespace + head.key)) held.push({ namespace: head.namespace, key: head.key });
      }
    }
    return held;
  } finally {
    await snapshot.close();
  }
}
