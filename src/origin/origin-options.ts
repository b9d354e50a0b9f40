import { MeridianError } from '../model/errors.ts';
import type { Durability } from '../model/key-value.ts';
import { type ReplicationBounds, replicationDefaults } from '../replication/bounds.ts';
import type { LedgerOptions } from '../replication/ledger.ts';
import type { BackoffOptions } from '../runtime/backoff.ts';
import type { Random } from '../runtime/random.ts';
import type { SaveUnreplicated } from './loss.ts';
import type { OriginObserver } from './observer.ts';
import type { PeerConnection } from './peer-link.ts';

export interface OriginOptions extends ReplicationBounds, Pick<LedgerOptions, 'store' | 'clock' | 'observer'> {
  readonly random: Random;
  readonly originObserver: OriginObserver;
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
  /** Milliseconds between probes to a peer. */
  readonly probeIntervalMs: number;
  /** Milliseconds without an event after which a peer's feed is given up. */
  readonly silenceMsMax: number;
  readonly backoff: BackoffOptions;
  /** Keeps what only this store holds, before an origin that lost its id begins anew. */
  readonly saveUnreplicated: SaveUnreplicated;
  /** The origin lost its id: closed and opened again, it begins empty under a new one. */
  readonly lost: (why: string) => void;
}

/** The bounds of an origin that is told none. */
export const originDefaults = {
  ...replicationDefaults,
  peers: [] as readonly string[],
  /** A node that keeps no files has nowhere to save it, so that it does not begin anew. */
  saveUnreplicated: async ({ id }: { readonly id: string }): Promise<void> => {
    throw new MeridianError('FAILED_PRECONDITION', `origin ${id} lost its id and has nowhere to save what it holds`, {
      reason: 'identity-lost',
    });
  },
  lost: (): void => {},
  connect: (address: string): PeerConnection => {
    throw new MeridianError('INTERNAL', `this origin was given no way to reach ${address}`, { reason: 'no-connect' });
  },
  probeIntervalMs: 100,
  silenceMsMax: 5_000,
  backoff: { firstMs: 100, mostMs: 5_000 },
} as const;
