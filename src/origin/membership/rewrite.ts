import type { RecordKey } from '../../model/key.ts';
import type { LogId, MemberId } from '../../model/position.ts';
import type { Record } from '../../model/record.ts';
import { holds } from '../../model/rules.ts';
import type { CommitView, Decision, Ledger } from '../../replication/ledger.ts';
import { isOfLogs } from '../../replication/logs.ts';
import { unknownLogs } from '../../replication/unknown-logs.ts';
import { unlessDamaged } from '../../replication/with-damaged.ts';
import type { Clock } from '../../runtime/clock.ts';
import { lookAgain, Notice } from '../../runtime/notice.ts';
import type { OwnLog } from '../own-log.ts';
import type { Sealing } from './sealing.ts';

export interface RewriteOptions {
  readonly ledger: Ledger;
  readonly ownLog: OwnLog;
  readonly sealing: Pick<Sealing, 'isComplete'>;
  readonly clock: Clock;
  /** True once all that every other member had at this monotonic time is here. */
  readonly heardFromAllSince: (atMs: number) => boolean;
}

/** Records of one commit, and bytes of their values; whichever bound is reached first ends the commit. */
const pageRecords = 256;
const pageBytes = 4 * 1024 * 1024;
/** Milliseconds between looks; a change of the registry, and records beyond a seal, are noticed at once. */
const lookIntervalMs = 1000;
/** Milliseconds between looks while a reader waits: each look asks the disk about every sealed log. */
const hurryIntervalMs = 100;

/**
 * Writes again, with their stamps, records that this member holds at a position that no longer counts, so that they get
 * a position in its own log (rule R23). Such a position lies beyond a seal: a peer that was away, or whose disk was put
 * back, brought the record. Or it lies in a log that nobody knows any more: its member's disk was put back while a scan
 * broke off. It waits until this opening has sealed its own past: only then does a position here stay.
 */
export class Rewrite {
  readonly #options: RewriteOptions;
  readonly #noticed = new Notice();
  /** What was known of logs when there was nothing left to do. */
  #cleanAt: { readonly version: number; readonly taken: number } | undefined;
  #taken = 0;
  #hurriedMs = Number.NEGATIVE_INFINITY;
  /** The unknown logs, and since which monotonic time each is unknown: the record that names it may be on its way. */
  readonly #unknown = new Map<LogId, number>();

  constructor(options: RewriteOptions) {
    this.#options = options;
  }

  /** Records came that lie beyond a seal, or in an unknown log. */
  notice(): void {
    this.#taken++;
    this.#noticed.give();
  }

  /** Nothing that is held here is to be written again. False before that is known. */
  get isDone(): boolean {
    return this.#cleanAt?.version === this.#options.ledger.registry.logs.version && this.#cleanAt.taken === this.#taken;
  }

  /** As `isDone`. Somebody waits for it: if it is not done, it is looked at soon. */
  isDoneNow(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    if (!this.isDone && nowMs - this.#hurriedMs >= hurryIntervalMs) {
      this.#hurriedMs = nowMs;
      this.#noticed.give();
    }
    return this.isDone;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, ledger } = this.#options;
    ledger.registry.onChange(() => this.#noticed.give(), signal);
    // The ledger reports a failed disk; this is then tried again.
    await lookAgain(this.#noticed, () => this.look(signal), { clock, restMs: lookIntervalMs, signal });
  }

  async look(signal: AbortSignal): Promise<void> {
    const { ledger, sealing } = this.#options;
    const { logs } = ledger.registry;
    const now = { version: logs.version, taken: this.#taken };
    if (!sealing.isComplete || !holds('R23 what lies beyond is written again') || this.isDone) return;
    for (const { log, seal } of [...logs.all()])
      if (seal !== undefined) await this.#rewriteBeyond(log, seal.final, signal);
    for (const log of await this.#lost()) await this.#rewriteBeyond(log, 0, signal);
    if (this.#unknown.size === 0) this.#cleanAt = now;
  }

  /** The unknown logs that no member knows: all that the others had when the log was first looked for is here. */
  async #lost(): Promise<readonly LogId[]> {
    const { ledger, clock, heardFromAllSince } = this.#options;
    const unknown = await unknownLogs(ledger);
    for (const log of this.#unknown.keys()) if (!unknown.includes(log)) this.#unknown.delete(log);
    const lost: LogId[] = [];
    for (const log of unknown) {
      if ((await this.#beyond(log, 0)).length === 0) continue;
      const sinceMs = this.#unknown.get(log);
      if (sinceMs === undefined) this.#unknown.set(log, clock.monotonicMs());
      else if (heardFromAllSince(sinceMs)) lost.push(log);
    }
    return lost;
  }

  async #rewriteBeyond(log: LogId, final: number, signal: AbortSignal): Promise<void> {
    for (let page = await this.#beyond(log, final); page.length > 0; page = await this.#beyond(log, final)) {
      signal.throwIfAborted();
      await rewrite(page, this.#options);
    }
    this.#unknown.delete(log);
  }

  /** The member that a record of logs speaks of writes it anew (rule R22); a removed member writes nothing. */
  #isSaidAnew(record: RecordKey): boolean {
    const [kind, member] = record.key.split('/');
    if (!isOfLogs(record) || kind === 'removed') return false;
    return kind === 'log' || this.#options.ledger.registry.logs.removal(member as MemberId) === undefined;
  }

  async #beyond(log: LogId, final: number): Promise<readonly Record[]> {
    const { snapshot } = this.#options.ledger.instant();
    const records: Record[] = [];
    let bytes = 0;
    try {
      // A damaged record cannot be written again; its key reads as damaged until it is mended or written.
      for await (const page of snapshot.log(log, final + 1, () => {})) {
        for (const stored of page) {
          // A damaged value keeps no other record from being written again.
          const record = this.#isSaidAnew(stored) ? undefined : await snapshot.read(stored).catch(unlessDamaged);
          if (record === undefined || record === 'damaged') continue;
          records.push(record);
          bytes += record.kind === 'live' ? record.value.byteLength : 0;
          if (records.length >= pageRecords || bytes >= pageBytes) return records;
        }
      }
      return records;
    } finally {
      await snapshot.close();
    }
  }
}

/**
 * Writes records again with their stamps: those that are still held as they were read, or, with `brings`, those of
 * which nothing later is held.
 */
export async function rewrite(
  records: readonly Record[],
  { ledger, ownLog }: Pick<RewriteOptions, 'ledger' | 'ownLog'>,
  brings: (record: Record, view: CommitView) => boolean = isStillHeld,
): Promise<void> {
  await ledger.submit({
    keys: records,
    sync: true,
    bytes: records.reduce((sum, record) => sum + 128 + (record.kind === 'live' ? record.value.byteLength : 0), 0),
    decide: (view): Decision<undefined> => {
      const wanted = records.filter((record) => brings(record, view));
      if (wanted.length === 0) return { result: undefined };
      const append = ownLog.append(view);
      for (const record of wanted) append.adopt(record);
      return { ...append.decided(), result: undefined };
    },
  });
}

/** The record may have been overwritten, or have expired, since it was read. */
function isStillHeld(record: Record, view: CommitView): boolean {
  const held = view.head(record);
  const { log, sequence } = record.position;
  return (
    held?.stamp === record.stamp &&
    held.kind === record.kind &&
    held.position.log === log &&
    held.position.sequence === sequence
  );
}
