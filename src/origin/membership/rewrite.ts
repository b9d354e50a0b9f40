import type { RecordKey } from '../../model/key.ts';
import type { LogId, MemberId } from '../../model/position.ts';
import type { Record } from '../../model/record.ts';
import { holds } from '../../model/rules.ts';
import type { CommitView, Decision, Ledger } from '../../replication/ledger.ts';
import { isOfLogs } from '../../replication/logs.ts';
import { unknownLogs } from '../../replication/unknown-logs.ts';
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

/** Records of one commit, and bytes of their values: whichever is reached first ends it. */
const pageRecords = 256;
const pageBytes = 4 * 1024 * 1024;
/** Milliseconds between looks; a change of the registry, or of what is taken, is noticed at once. */
const lookIntervalMs = 1000;

/**
 * Gives what this member holds at a position that nobody counts one in its own log, the stamps kept (rule R23): beyond a
 * seal, where a peer that was away, or whose disk was put back, brought it; or in a log that nobody knows any more, as its
 * member's disk was put back while a scan of it broke off. It waits until this opening has sealed its own past: only then
 * does a position here stay.
 */
export class Rewrite {
  readonly #options: RewriteOptions;
  readonly #noticed = new Notice();
  /** What was known of logs when nothing was left. */
  #cleanAt: { readonly version: number; readonly taken: number } | undefined;
  #taken = 0;
  /** The logs that are not known, and since which monotonic time: what makes them known may be on its way. */
  readonly #unknown = new Map<LogId, number>();

  constructor(options: RewriteOptions) {
    this.#options = options;
  }

  /** Records came that lie beyond a seal, or in a log that is not known. */
  notice(): void {
    this.#taken++;
    this.#noticed.give();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, ledger } = this.#options;
    ledger.registry.onChange(() => this.#noticed.give(), signal);
    // Where the disk fails, the ledger has told of it; this is tried again.
    await lookAgain(this.#noticed, () => this.look(), { clock, restMs: lookIntervalMs, signal });
  }

  async look(): Promise<void> {
    const { ledger, sealing } = this.#options;
    const { logs } = ledger.registry;
    const now = { version: logs.version, taken: this.#taken };
    if (
      !sealing.isComplete ||
      !holds('R23 what lies beyond is written again') ||
      (this.#cleanAt?.version === now.version && this.#cleanAt.taken === now.taken)
    )
      return;
    for (const { log, seal } of [...logs.all()]) if (seal !== undefined) await this.#rewriteBeyond(log, seal.final);
    for (const log of await this.#lost()) await this.#rewriteBeyond(log, 0);
    if (this.#unknown.size === 0) this.#cleanAt = now;
  }

  /** Unknown logs that nobody knows: all that the other members had when this was first asked is here. */
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

  async #rewriteBeyond(log: LogId, final: number): Promise<void> {
    for (let page = await this.#beyond(log, final); page.length > 0; page = await this.#beyond(log, final)) {
      await rewrite(page, this.#options);
    }
    this.#unknown.delete(log);
  }

  /** Who the registry's records of logs speak of says them anew (rule R22); a member that was removed says nothing. */
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
      // A damaged one cannot be written again; its key says so until it is mended or written.
      for await (const page of snapshot.log(log, final + 1, () => {})) {
        for (const stored of page) {
          const record = this.#isSaidAnew(stored) ? undefined : await snapshot.read(stored);
          if (record === undefined) continue;
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
 * Writes records again, their stamps kept: those that are held as they were read, or, with `brings`, those of which nothing
 * later is held.
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

/** It may have been overwritten, or have expired, since it was read. */
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
