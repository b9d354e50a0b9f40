import type { Call } from '../model/call.ts';
import { type Cursor, type Epoch, type EpochHistory, epochOf } from '../model/epoch.ts';
import { isMeridianError, MeridianError } from '../model/errors.ts';
import type { Record } from '../model/record.ts';
import type { Ledger } from '../replication/ledger.ts';
import { emptyLedgerState } from '../replication/ledger-state.ts';
import { removeRecords } from '../replication/remove-records.ts';
import { sleep } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { withEither } from '../runtime/with-either.ts';
import { identityRow, type OriginIdentity, type Registering } from './founding.ts';
import type { Peers } from './peers.ts';
import type { Standing } from './standing.ts';

const lossName = 'origin/lost';
/** Milliseconds between tries to have the old id removed, and for one of them. */
const retryMs = 1000;
const askMs = 10_000;

/** Kept in the store of an origin that may not go on under its id. */
interface Lost {
  readonly why: 'retired' | 'rolled-back';
  /** What the others keep of its log. */
  readonly final: number;
  /** Where the others were reached. */
  readonly peers: readonly string[];
  /** Of this loss alone: the same id may be lost again, by another restore of its disk. */
  readonly loss: string;
}

export interface LossOptions extends Registering {
  readonly peers: Pick<Peers, 'views' | 'all'>;
  readonly standing: Standing;
  readonly random: Random;
  /** It must not serve any more, from this moment on. */
  readonly ended: () => void;
  /** The store is marked: opened again it saves what only it holds, and begins empty under a new id. */
  readonly lost: (why: string) => void;
}

/**
 * An origin that was removed from the cluster, or whose disk was rolled back or copied (rules R16, R22, R23). It takes
 * and tells nothing more. A rolled-back one first has its old id removed at the fork, so that the others adopt what they
 * hold of the life that was lost.
 */
export class Loss {
  readonly #options: LossOptions;
  #found: 'retired' | 'rolled-back' | undefined;
  #final: number | undefined;
  #wake: () => void = () => {};

  constructor(options: LossOptions) {
    this.#options = options;
  }

  /** A peer refused this origin because it was removed. */
  retired(final: number, epoch: Epoch | undefined): void {
    const { ledger, self } = this.#options;
    this.#found = 'retired';
    this.#final = sharedUpTo(final, epoch, ledger.state.epochs.get(self) ?? []);
    this.#end('it was removed from the cluster');
  }

  /** Somebody knows another life of this disk. Alone in its cluster an origin goes on, and its followers resync. */
  rolledBack(why: string): void {
    if (this.#found !== undefined || this.#alone()) return;
    this.#found = 'rolled-back';
    this.#end(`its disk was rolled back or copied: ${why}`);
  }

  /** What a follower holds of this origin's own log must be of this life. */
  inspect(cursor: Cursor): void {
    const { self, ledger } = this.#options;
    const known = cursor.get(self);
    if (known === undefined) return;
    const { covered, epochs } = ledger.state;
    const own = covered.get(self) ?? 0;
    if (known.sequence > own) this.rolledBack(`a follower holds ${known.sequence} of its writes, this disk ${own}`);
    const epoch = epochOf(epochs.get(self), known.sequence);
    const other = known.epoch !== undefined && epoch !== undefined && known.epoch !== epoch;
    if (other) this.rolledBack(`a follower knows its write ${known.sequence} from another opening`);
  }

  /** Sees to what has to be done once a loss was found. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, lost, ledger } = this.#options;
    while (!signal.aborted) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      if (this.#found === 'rolled-back' && this.#final === undefined) this.#final = await this.#removed(signal);
      if (this.#found !== undefined && this.#final !== undefined) {
        const kept = await keepLoss(ledger, {
          why: this.#found,
          final: this.#final,
          peers: this.#addresses(),
          loss: this.#options.random.hex(4),
        });
        if (kept) {
          lost(this.#options.standing.reason ?? this.#found);
          return;
        }
      }
      await withEither([signal, woken.signal], (until) => sleep(clock, retryMs, until)).catch(() => {});
    }
  }

  /** Has a peer remove this origin's id; undefined while none can. */
  async #removed(signal: AbortSignal): Promise<number | undefined> {
    const { peers, self, ledger, clock } = this.#options;
    const { covered, epochs } = ledger.state;
    const witness = { sequence: covered.get(self) ?? 0, history: epochs.get(self) ?? [] };
    for (const upstream of peers.all()) {
      const call: Call = { deadlineMs: clock.monotonicMs() + askMs, signal };
      try {
        return (await upstream.retire({ name: self, force: false, witness }, call)).final;
      } catch (error) {
        if (isMeridianError(error) && error.details.reason === 'retired') return error.details.limit;
      }
    }
    return undefined;
  }

  #addresses(): readonly string[] {
    const { ledger, self, peers } = this.#options;
    const registered = ledger.registry.membership.registered().filter(({ id }) => id !== self);
    const told = registered.flatMap(({ address }) => (address === undefined ? [] : [address]));
    return [...new Set([...told, ...peers.views().map(({ address }) => address)])];
  }

  #alone(): boolean {
    return this.#options.ledger.registry.membership.registered().length <= 1;
  }

  #end(why: string): void {
    const message = `this origin cannot go on under its id: ${why}`;
    this.#options.standing.end(new MeridianError('UNAVAILABLE', message, { reason: 'identity-lost' }));
    this.#options.ended();
    this.#wake();
  }
}

/**
 * How much of this disk's log is what the others keep up to the final sequence, which they know from that opening. Where
 * this disk has another opening there, it was copied or rolled back, and what it wrote since then is nobody else's.
 */
export function sharedUpTo(final: number, epoch: Epoch | undefined, history: EpochHistory): number {
  if (epoch === undefined || epochOf(history, final) === epoch) return final;
  const known = history.findIndex((start) => start.epoch === epoch);
  const parted = known < 0 ? history.at(-1) : history[known + 1];
  return Math.min(final, (parted?.first ?? 1) - 1);
}

/** False where the disk failed, which the ledger has told of: it is tried again. */
function keepLoss(ledger: Ledger, loss: Lost): Promise<boolean> {
  const meta = new Map([[lossName, Buffer.from(JSON.stringify(loss))]]);
  const kept = ledger.submit({ keys: [], sync: true, bytes: 0, decide: () => ({ meta, result: true }) });
  return kept.catch(() => false);
}

/**
 * Where what only this store holds is saved before it is erased, under its id and the loss's own. Resolves once that is on
 * disk; is asked again, with the same, after a crash.
 */
export type SaveUnreplicated = (
  lost: { readonly id: string; readonly loss: string; readonly why: string },
  records: AsyncIterable<Record>,
) => Promise<void>;

/**
 * Empties the store of an origin that lost its id, after what nobody else holds of its log was saved (rule R23), and
 * gives it a new id of no cluster. True where it did. The mark goes with the last commit, so that it never founds one,
 * and so does all that was noted under the old id: how far peers were heard, what made the tokens of this store valid.
 */
export async function recoverFromLoss(
  ledger: Ledger,
  identity: OriginIdentity,
  save: SaveUnreplicated,
  random: Random,
): Promise<boolean> {
  const stored = await ledger.store.meta(lossName);
  if (stored === undefined) return false;
  const { why, final, peers, loss } = JSON.parse(Buffer.from(stored).toString()) as Lost;
  await save({ id: identity.id, loss, why }, ownRecords(ledger, identity, final));
  await removeRecords(ledger, {});
  const forgotten = (await ledger.store.metaNames()).map((name): [string, undefined] => [name, undefined]);
  const anew: OriginIdentity = { id: random.hex(8) as OriginIdentity['id'], peers };
  const meta = new Map<string, Uint8Array | undefined>([...forgotten, identityRow(anew)]);
  await ledger.submit({
    keys: [],
    sync: true,
    bytes: 0,
    decide: () => ({ state: emptyLedgerState, meta, silent: true, result: undefined }),
  });
  return true;
}

async function* ownRecords(ledger: Ledger, { id }: OriginIdentity, final: number): AsyncGenerator<Record> {
  const { snapshot } = ledger.instant();
  try {
    for await (const page of snapshot.log(id, final + 1)) {
      for (const stored of page) {
        const record = await snapshot.read(stored);
        if (record !== undefined) yield record;
      }
    }
  } finally {
    await snapshot.close();
  }
}
