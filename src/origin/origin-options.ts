import type { CallCounts } from '../model/cluster.ts';
import { MeridianError } from '../model/errors.ts';
import type { Durability } from '../model/key-value.ts';
import type { Record } from '../model/record.ts';
import { type ReplicationBounds, replicationDefaults } from '../replication/bounds.ts';
import type { HotKeys } from '../replication/hot-keys.ts';
import type { LedgerOptions } from '../replication/ledger.ts';
import type { BackoffOptions } from '../runtime/backoff.ts';
import type { Random } from '../runtime/random.ts';
import type { Store } from '../store/store.ts';
import type { OriginObserver } from './observer.ts';
import type { PeerConnection } from './peer-link.ts';
import type { RegistryRepair } from './registry-repair.ts';

/** Where an origin keeps its data: the store that it runs over, and those that it put aside to begin anew (rule R8). */
export interface OriginStores {
  readonly store: Store;
  /** Newest last. */
  readonly aside: readonly Store[];
  /** Closes the store and puts it aside; an empty one takes its place. */
  putAside(): Promise<OriginStores>;
  /** Closes and deletes the store; the newest one put aside takes its place again. Requires that there is one. */
  takeBack(): Promise<OriginStores>;
  /** Deletes what was put aside. */
  dropAside(): Promise<void>;
}

export interface OriginOptions extends ReplicationBounds, Pick<LedgerOptions, 'clock' | 'observer' | 'hotBytesMax'> {
  readonly stores: OriginStores;
  readonly random: Random;
  readonly originObserver: OriginObserver;
  /** Called for each answered read. Default: not counted. */
  readonly hotKeys?: HotKeys;
  /** Counts of its calls so far, for status. Default: unknown. */
  readonly calls?: () => CallCounts;
  /** True once it takes no new traffic. Default: never. */
  readonly isDraining?: () => boolean;
  /** The operator's label. */
  readonly name: string;
  readonly region: string;
  /** Degrees north, degrees east. */
  readonly location?: readonly [number, number];
  /** The version of the software, for status. */
  readonly version: string;
  /** For a write that asks for none. */
  readonly durability: Durability;
  /** `host:port` of other origins. With any, an empty store waits to be admitted to their cluster. */
  readonly peers: readonly string[];
  readonly connect: (address: string) => PeerConnection;
  /** `host:port` at which the others reach this one; unset = they must be given it (--peer). */
  readonly address?: string;
  /** If registry records are damaged and no peer has them, goes on without them. Default: it does not start. */
  readonly acceptLoss?: boolean;
  /** Hears what becomes of damaged records of the registry while the origin is opened. */
  readonly registryRepair: (repair: RegistryRepair) => void;
  /** Milliseconds for which the peers are asked for those records before the opening is given up. */
  readonly registryRepairMsMax: number;
  /** Milliseconds between probes to a peer. */
  readonly probeIntervalMs: number;
  /** Milliseconds without an event after which a peer's feed is given up. */
  readonly silenceMsMax: number;
  readonly backoff: BackoffOptions;
  /**
   * Keeps, synced, what only this origin had when it began anew and may not write again: the deletion may be purged
   * (rule R8). Returns where; after a crash the same records come again.
   */
  readonly keepApart: (member: string, records: AsyncIterable<Record>) => Promise<string | undefined>;
  /** The origin begins anew: close it and open it again over the same stores. */
  readonly beginAnew: (why: string) => void;
  /** A later opening of this member runs elsewhere: close this one for good (rule R16). */
  readonly replaced: (why: string) => void;
  /**
   * Why another process may hold the store by now, and write in it; undefined while none can. Meanwhile nothing is
   * answered, and no bound told. Asked for each read, so it must take no time. Default: no other process can.
   */
  readonly fenced: () => string | undefined;
  /** Further notes on the store, for status. Default: none. */
  readonly storeNotes: () => readonly string[];
}

/** The bounds of an origin that is given none. */
export const originDefaults = {
  ...replicationDefaults,
  hotBytesMax: 256 * 1024 * 1024,
  peers: [] as readonly string[],
  keepApart: async (_member: string, records: AsyncIterable<unknown>): Promise<undefined> => {
    for await (const _record of records); // Read, so that they are counted.
  },
  beginAnew: (): void => {},
  replaced: (): void => {},
  fenced: (): undefined => {},
  storeNotes: (): readonly string[] => [],
  registryRepair: (): void => {},
  registryRepairMsMax: 30_000,
  connect: (address: string): PeerConnection => {
    throw new MeridianError('INTERNAL', `this origin was given no way to reach ${address}`, { reason: 'no-connect' });
  },
  probeIntervalMs: 100,
  silenceMsMax: 5_000,
  backoff: { firstMs: 100, mostMs: 5_000 },
} as const;
