import type { OriginConfig } from '../../config/config.ts';
import { formatAddress } from '../../config/parse-address.ts';
import { toMeridianError } from '../../model/errors.ts';
import { sleep } from '../../runtime/clock.ts';
import { orUndo } from '../../runtime/or-undo.ts';
import { PostgresDatabase } from '../../store/postgres/postgres-database.ts';
import { postgresDefaults } from '../../store/postgres/postgres-options.ts';
import { parsePostgresUrl } from '../../store/postgres/postgres-url.ts';
import type { Holder } from '../../store/postgres/writer-row.ts';
import type { OriginStorage } from '../origin-storage.ts';
import type { Outside } from '../outside.ts';
import type { StartNode } from '../run-node.ts';
import type { RunningNode } from '../running-node.ts';
import { startOrigin } from '../start-origin.ts';
import { type Counting, databaseOptions, warnOfSettings } from './open-database.ts';
import { PostgresStores } from './postgres-stores.ts';
import { startStandby } from './start-standby.ts';

/*
 * Several processes with one database, of which one at a time is the origin:
 *
 *              the lease is free                     another one has it
 *     start ──────────────────────▶ origin ────────────────────────────▶ standby
 *                                     ▲     the lease was lost, or the     │
 *                                     │     database went back             │
 *                                     └────────────────────────────────────┘
 *                                            the holder's lease ran out
 *
 * Each arrow closes all that the process has open, its listeners among it, and starts anew on the same addresses: nothing of
 * what it was is left in memory. The new origin is the same member, as the data say, and begins a new log.
 */

/** Milliseconds that a start waits for a database that does not answer. */
const reachMsMax = 30_000;
const lookMs = 250;
/** Milliseconds between signs of life of a standby, and looks at who stands by. */
const standbyMs = 2_000;
/** Milliseconds for calls under way at a standby that takes over: what it passed on to a holder that stands still never ends. */
const leaveMsMax = 500;
/** What the log says of a holder that listens on every address, and is told no other. */
const unreachable = 'no standby learns where this process is reached, and answers anything: say so with --advertise';
/** An address at which nobody answers. */
const nowhere = 'localhost:1';

/** How an origin is started, and started again: over its folder, or over its database. */
export function originStarter(config: OriginConfig): StartNode {
  const { store } = config;
  if (store === undefined) return (outside) => startOrigin(config, outside);
  const starter = new DatabaseStarter(config, store);
  const start: StartNode = (outside, stopped = new AbortController().signal) => starter.start(outside, stopped);
  return Object.assign(start, { close: () => starter.close() });
}

class DatabaseStarter {
  readonly #config: OriginConfig;
  readonly #url: string;
  readonly #shown: string;
  /** Taken by a standby, for the origin that is started next. */
  #taken: Held | undefined;

  constructor(config: OriginConfig, url: string) {
    this.#config = config;
    this.#url = url;
    this.#shown = parsePostgresUrl(url).shown;
  }

  /**
   * @throws FAILED_PRECONDITION (no tables), UNAUTHENTICATED, PERMISSION_DENIED; UNAVAILABLE where no database answers; the
   * signal's reason where that comes first
   */
  async start(outside: Outside, stopped: AbortSignal): Promise<RunningNode> {
    const held = this.#taken ?? (await this.#reach(outside, stopped));
    this.#taken = undefined;
    if (held.holder === undefined) return this.#startOrigin(held, outside);
    return this.#startStandby(held, held.holder, outside);
  }

  /** Gives the database back that a standby took and no origin was started over. */
  async close(): Promise<void> {
    const held = this.#taken;
    this.#taken = undefined;
    await held?.database.close();
  }

  async #startOrigin({ database, lost, counting }: Held, outside: Outside): Promise<RunningNode> {
    const { place } = database.options;
    await warnOfSettings(database, place, outside);
    let standbys: readonly string[] = [];
    let unannounced: string | undefined;
    const announce = async () => {
      if (unannounced !== undefined) await database.announce(unannounced);
      unannounced = undefined;
    };
    const watching = new AbortController();
    const close = async () => {
      watching.abort();
      await database.close();
    };
    const storage: OriginStorage = {
      open: async (metrics) => {
        counting.by = metrics.forStore(() => database.load);
        return PostgresStores.open(database, close);
      },
      fenced: () => (database.holds ? undefined : `${place.shown} does not confirm that this process still holds it`),
      notes: () => [`holds ${place.shown}`, ...standbys.map((standby) => `standby: ${standby}`)],
      lost,
      listening: async (address) => {
        if (this.#isReachedAt(address)) unannounced = address;
        else if (database.options.address === '') outside.logger.log('warn', unreachable, { store: place.shown });
        // Where the database is away just now, the next look does it.
        await announce().catch(() => {});
      },
    };
    const watch = async () => {
      await announce();
      standbys = await database.standbys();
    };
    void repeat(watch, { clock: outside.clock, restMs: standbyMs, signal: watching.signal });
    return orUndo(startOrigin(this.#config, outside, storage), close);
  }

  async #startStandby(held: Held, holder: Holder, outside: Outside): Promise<RunningNode> {
    const { database } = held;
    const { clock } = outside;
    let seen = holder;
    const notes = () => [`standby on ${this.#shown}: takes over from ${shownHolder(seen)} once its lease runs out`];
    const upstream = this.#reachedAt(holder, database);
    this.#tellStandsBy(outside, holder, upstream);
    const see = (now: Holder) => {
      if (shownHolder(now) !== shownHolder(seen)) this.#tellStandsBy(outside, now, upstream);
      seen = now;
    };
    const mustReopen = new AbortController();
    const { drainTimeoutMs } = this.#config;
    const drainMs = () => (mustReopen.signal.aborted ? Math.min(leaveMsMax, drainTimeoutMs) : drainTimeoutMs);
    const standby = startStandby(this.#config, { holder: upstream, outside, notes, drainMs });
    const node = await orUndo(standby, () => database.close());
    const watching = new AbortController();
    const look = async () => {
      const found = await database.take();
      if (found === 'taken') this.#taken = { ...held, holder: undefined };
      // One that tells no address yet cannot be followed: until it does this one goes on as it is.
      else if (found.address === '' || found.address === holder.address) return see(found);
      watching.abort();
      mustReopen.abort();
    };
    const address = this.#isReachedAt(node.grpcAddress) ? node.grpcAddress : database.options.address;
    const looking = repeat(look, { clock, restMs: lookMs, signal: watching.signal });
    void repeat(() => database.standBy(address), { clock, restMs: standbyMs, signal: watching.signal });
    const stop = async () => {
      watching.abort();
      await node.stop();
      // The origin that is started next goes on with what was taken.
      if (this.#taken?.database === database) return;
      await database.close();
      await looking;
      // A look that was under way may have taken it just before: that was given back with the rest.
      if (this.#taken?.database === database) this.#taken = undefined;
    };
    return { ...node, mustReopen: mustReopen.signal, stop };
  }

  #tellStandsBy({ logger }: Outside, holder: Holder, upstream: string): void {
    const reached = upstream === nowhere ? {} : { upstream };
    const told = { store: this.#shown, holder: shownHolder(holder), ...reached };
    logger.log('info', 'another process holds the store: this one stands by', told);
  }

  /** Opens the database and takes it, or learns who has it. A database that does not answer is waited for, for a while. */
  async #reach(outside: Outside, stopped: AbortSignal): Promise<Held> {
    const { clock, logger } = outside;
    const counting: Counting = { by: postgresDefaults.observer };
    const lost = new AbortController();
    const options = databaseOptions({ url: this.#url, config: this.#config, outside, counting });
    const database = new PostgresDatabase(options, { lost: (why) => lost.abort(why) });
    const untilMs = clock.monotonicMs() + reachMsMax;
    for (let told = false; ; told = true) {
      try {
        stopped.throwIfAborted();
        const found = await database.take();
        return { database, counting, lost: lost.signal, holder: found === 'taken' ? undefined : found };
      } catch (error) {
        const { code, message } = toMeridianError(error);
        if (stopped.aborted || code !== 'UNAVAILABLE' || clock.monotonicMs() >= untilMs) {
          await database.close();
          throw stopped.aborted ? stopped.reason : error;
        }
        if (!told) logger.log('warn', 'waits for the database', { store: this.#shown, error: message });
        await sleep(clock, lookMs, stopped).catch(() => {});
      }
    }
  }

  /**
   * Where the holder says nowhere how it is reached, or is an earlier process at this very address, this one answers nothing
   * until it takes over.
   */
  #reachedAt({ address }: Holder, database: PostgresDatabase): string {
    const unreached = ['', database.options.address, formatAddress(this.#config.listen)];
    return unreached.includes(address) ? nowhere : address;
  }

  /** Whether others can be told to come to where this process listens. */
  #isReachedAt(address: string): boolean {
    return this.#config.advertise === undefined && !/^(0\.0\.0\.0|\[?::\]?):/.test(address);
  }
}

interface Held {
  readonly database: PostgresDatabase;
  readonly counting: Counting;
  readonly lost: AbortSignal;
  /** Undefined where this process has it. */
  readonly holder: Holder | undefined;
}

/** As people read it. */
function shownHolder({ holder, address }: Holder): string {
  return `${holder} (${address === '' ? 'which tells no address yet' : address})`;
}

/** Where the database is away, the next look tries again. */
async function repeat(
  look: () => Promise<void>,
  { clock, restMs, signal }: Pick<Outside, 'clock'> & { readonly restMs: number; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    await look().catch(() => {});
    await sleep(clock, restMs, signal).catch(() => {});
  }
}
