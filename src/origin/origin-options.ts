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
  /** Closes and deletes the store; the newest that was put aside takes its place again. There is one. */
  takeBack(): Promise<OriginStores>;
  /** Deletes what was put aside. */
  dropAside(): Promise<void>;
}

export interface OriginOptions extends ReplicationBounds, Pick<LedgerOptions, 'clock' | 'observer' | 'hotBytesMax'> {
  readonly stores: OriginStores;
  readonly random: Random;
  readonly originObserver: OriginObserver;
  /** Told of each read that is answered. Default: nobody counts. */
  readonly hotKeys?: HotKeys;
  /** What it was asked so far, for status. Default: unknown. */
  readonly calls?: () => CallCounts;
  /** True once it takes no new traffic. Default: it always does. */
  readonly isDraining?: () => boolean;
  /** The operator's label. */
  readonly name: string;
  readonly region: string;
  /** Degrees north, degrees east. */
  readonly location?: readonly [number, number];
  /** Of the software, for status. */
  readonly version: string;
  /** Of a write that asks for none. */
  readonly durability: Durability;
  /** `host:port` of other origins. With any, an empty store waits to be admitted to their cluster. */
  readonly peers: readonly string[];
  readonly connect: (address: string) => PeerConnection;
  /** `host:port` at which the others reach this one; unset = they must be told. */
  readonly address?: string;
  /** Where records of the registry are damaged, and no peer has them, it goes on without them. Default: it does not start. */
  readonly acceptLoss?: boolean;
  /** Told what becomes of damaged records of the registry while the origin is opened. */
  readonly registryRepair: (repair: RegistryRepair) => void;
  /** Milliseconds that the peers are asked for those, before the opening is given up. */
  readonly registryRepairMsMax: number;
  /** Milliseconds between probes to a peer. */
  readonly probeIntervalMs: number;
  /** Milliseconds without an event after which a peer's feed is given up. */
  readonly silenceMsMax: number;
  readonly backoff: BackoffOptions;
  /**
   * Keeps, synced, what this origin had alone when it began anew and may not write again: its deletion may be purged (rule
   * R8). Says where; after a crash the same come again.
   */
  readonly keepApart: (member: string, records: AsyncIterable<Record>) => Promise<string | undefined>;
  /** The origin begins anew: it is to be closed and opened again over the same stores. */
  readonly beginAnew: (why: string) => void;
  /** A later opening of this member runs elsewhere: this one is to be closed, for good (rule R16). */
  readonly replaced: (why: string) => void;
  /**
   * Why another process may hold the store by now, and write in it; undefined while none can. Meanwhile nothing is answered,
   * and no bound told. Asked for each read: it takes no time. Default: nobody else can.
   */
  readonly fenced: () => string | undefined;
  /** What else status says of the store. Default: nothing. */
  readonly storeNotes: () => readonly string[];
}

/** The bounds of an origin that is told none. */
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
