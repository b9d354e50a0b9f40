import { MeridianError } from '../../model/errors.ts';
import type { RecordKey } from '../../model/key.ts';
import { replaces } from '../../model/merge.ts';
import { registryNamespace } from '../../model/namespace.ts';
import { headOf, type Record } from '../../model/record.ts';
import { holds } from '../../model/rules.ts';
import { stampWallMs } from '../../model/stamp.ts';
import type { CommitView, Ledger } from '../../replication/ledger.ts';
import { isOfLogs } from '../../replication/logs.ts';
import { damagedRecord } from '../../replication/mending.ts';
import { unlessDamaged } from '../../replication/with-damaged.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Snapshot, Store, Stored } from '../../store/store.ts';
import type { OriginStores } from '../origin-options.ts';
import type { OwnLog } from '../own-log.ts';
import { readIdentity } from './identity.ts';
import { rewrite } from './rewrite.ts';

export interface BringBackOptions {
  readonly ledger: Ledger;
  readonly ownLog: OwnLog;
  readonly stores: OriginStores;
  readonly clock: Clock;
  readonly tombstoneRetentionMs: number;
  readonly clockSkewMsMax: number;
  /** Keeps, synced, what may not be written again; returns where. The same records come again after a crash. */
  readonly keepApart: (member: string, records: AsyncIterable<Record>) => Promise<string | undefined>;
  /** Breaks it off, between two pages: the store that was put aside stays, and it begins again at the next start. */
  readonly signal: AbortSignal;
}

/** What was kept apart when this origin began anew, for status. */
export interface KeptApart {
  readonly records: number;
  readonly where: string;
}

const keptName = 'origin/kept-apart';
const pageRecords = 256;
/** Milliseconds after which the reading goes on in a new snapshot: a database ends one that is held for long. */
const snapshotMsMax = 10_000;

/**
 * The last part of rejoining (rule R8). The store that was put aside holds what only this disk had: its peers do not
 * cover it. Records younger than the retention are written again with their stamps, where nothing later is held: a
 * deletion of them would still be there. Of older records, and those of namespaces that are gone, the deletion may be
 * purged: they stay in a file. Then the store that was put aside is deleted.
 */
export async function bringBack(options: BringBackOptions): Promise<void> {
  const { stores, ledger, ownLog, keepApart } = options;
  let apart: KeptApart | undefined;
  for (const aside of stores.aside) {
    const brings = holds('R8 what only it has is brought back') && !(await wasUndone(aside, options));
    if (brings) await rewriteYoung(aside, options);
    let records = 0;
    const counted = async function* (): AsyncGenerator<Record> {
      for await (const record of unheld(aside, options)) {
        records++;
        yield record;
      }
    };
    const where = await keepApart(ownLog.member, counted());
    if (records > 0) apart = { records: (apart?.records ?? 0) + records, where: where ?? 'nowhere' };
  }
  if (apart !== undefined) {
    const meta = new Map([[keptName, Buffer.from(JSON.stringify(apart))]]);
    await ledger.submit({ keys: [], sync: true, bytes: 0, decide: () => ({ meta, result: undefined }) });
  }
  const damaged = stores.aside.reduce((sum, aside) => sum + aside.condition().damagedRecords, 0);
  if (damaged === 0) return stores.dropAside();
  throw new MeridianError('DATA_LOSS', `${damaged} records of the store that was put aside are damaged: it is kept`, {
    reason: 'store-damaged',
  });
}

export async function readKeptApart(store: Pick<Store, 'meta'>): Promise<KeptApart | undefined> {
  const stored = await store.meta(keptName);
  return stored === undefined ? undefined : (JSON.parse(Buffer.from(stored).toString()) as KeptApart);
}

/** True if the cluster was restored to before what this member had: that is kept, and not written again. */
async function wasUndone(aside: Store, { ledger }: BringBackOptions): Promise<boolean> {
  const before = await readIdentity(aside);
  return before !== undefined && ledger.registry.logs.removal(before.id)?.undone === true;
}

async function rewriteYoung(aside: Store, options: BringBackOptions): Promise<void> {
  const { registry } = options.ledger;
  // The deletion of a namespace that nobody knows may be purged too; one that only this disk knew was written before.
  const isKnown = ({ namespace }: Record) => namespace === registryNamespace || registry.lives(namespace);
  const brings = (record: Record, view: CommitView) => {
    // Which of the two is later is unknown until the damaged one is mended.
    if (view.damaged(record) !== undefined) throw damagedRecord(record);
    return replaces(record, view.head(record)) && isKnown(record);
  };
  let page: Record[] = [];
  for await (const record of unheld(aside, options)) {
    if (!isYoung(record, options)) continue;
    // The registry comes first, and says which namespaces live.
    const isBehindRegistry = page.at(-1)?.namespace === registryNamespace && record.namespace !== registryNamespace;
    if (page.length >= pageRecords || isBehindRegistry) {
      await rewrite(page, options, brings);
      page = [];
    }
    page.push(record);
  }
  if (page.length > 0) await rewrite(page, options, brings);
}

/** What only the store put aside has: no member covers it, and nothing later of its key is held. */
async function* unheld(aside: Store, options: BringBackOptions): AsyncGenerator<Record> {
  const { clock, signal } = options;
  let after: RecordKey | undefined;
  for (let isWhole = false; !isWhole; ) {
    const snapshot = aside.snapshot();
    const takenMs = clock.monotonicMs();
    isWhole = true;
    try {
      // Damaged records there are counted, and the store is then kept (see `bringBack`).
      for await (const stored of snapshot.records(after === undefined ? {} : { after }, () => {})) {
        signal.throwIfAborted();
        yield* unheldOf(stored, snapshot, options);
        after = stored.at(-1);
        // Nobody writes to that store, so a later snapshot shows the same.
        isWhole = clock.monotonicMs() - takenMs < snapshotMsMax;
        if (!isWhole) break;
      }
    } finally {
      await snapshot.close();
    }
  }
}

async function* unheldOf(
  stored: readonly Stored[],
  snapshot: Snapshot,
  { ledger }: BringBackOptions,
): AsyncGenerator<Record> {
  const { logs } = ledger.registry;
  const missing = stored.filter(
    (record) => !isOfLogs(record) && !logs.coversPosition(ledger.state.covered, record.position),
  );
  const held = await ledger.store.heads(missing, (damaged) => ledger.awaits(damaged));
  for (const [index, key] of missing.entries()) {
    const record = await snapshot.read(key).catch(unlessDamaged);
    if (record === undefined || record === 'damaged') continue;
    if (replaces(headOf(record), held[index])) yield record;
  }
}

/** Younger than the retention by every clock that is permitted. */
function isYoung({ stamp }: Record, { clock, tombstoneRetentionMs, clockSkewMsMax }: BringBackOptions): boolean {
  if (!holds('R8 what is old is kept apart')) return true;
  return clock.wallMs() - stampWallMs(stamp) < tombstoneRetentionMs - 2 * clockSkewMsMax;
}
