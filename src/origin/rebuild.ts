import { MeridianError } from '../model/errors.ts';
import type { Opened } from '../model/feed.ts';
import { everything } from '../model/filter.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { OriginId } from '../model/position.ts';
import { FollowLoop } from '../replication/follow-loop.ts';
import { Ledger } from '../replication/ledger.ts';
import { membershipKeys, type Retirement } from '../replication/membership.ts';
import { Replica } from '../replication/replica.ts';
import { replicaProgressName } from '../replication/replica-progress.ts';
import { StalenessTracker } from '../replication/staleness-tracker.ts';
import { identityRow, type OriginIdentity, registryPuts } from './founding.ts';
import type { OriginOptions } from './origin-options.ts';
import type { PeerConnection } from './peer-link.ts';
import { Settlement } from './settlement.ts';

export interface RebuildOptions extends OriginOptions {
  /** A node that holds a copy of everything, and has no origin any more. */
  readonly source: PeerConnection;
  readonly address: string;
  readonly signal: AbortSignal;
  /** Told of each batch of records that arrived. */
  readonly received: (records: number) => void;
}

/**
 * Fills an empty store from a copy, for a cluster of which every origin's disk is lost: records keep their stamps, the
 * cluster its id, and in one act every earlier origin is retired at what the copy covers, so that none of them goes on
 * beside the new one. Afterwards the store is opened as any origin's.
 * @throws FAILED_PRECONDITION where the store is not empty, the node copies less than everything, or still follows an origin
 */
export async function rebuildStore(options: RebuildOptions): Promise<void> {
  const ledger = await Ledger.open(options);
  try {
    if (await isBegun(ledger)) return;
    await checkOrphaned(options);
    const clusterId = await copyAll(ledger, options);
    await found(ledger, clusterId, options);
  } finally {
    await ledger.close();
  }
}

/** True where an earlier rebuild came to its end. An interrupted one goes on where it was. */
async function isBegun(ledger: Ledger): Promise<boolean> {
  if ((await ledger.store.meta('origin/identity')) !== undefined) return true;
  const progress = await ledger.store.meta(replicaProgressName);
  if (progress === undefined && ledger.state.covered.size > 0) {
    throw refused('store-not-empty', 'an origin is rebuilt in an empty folder, and this one holds records');
  }
  return false;
}

/** Beside an origin that lives a rebuilt one would take its place. */
async function checkOrphaned({ source, address, clock, signal }: RebuildOptions): Promise<void> {
  const status = await source.upstream.status({ deadlineMs: clock.monotonicMs() + 10_000, signal });
  const copy = status.parts.find(({ part }) => part === 'copy');
  if (copy === undefined || !copy.includes.includes('*')) {
    throw refused('not-a-copy', `${status.node.name} at ${address} does not copy everything (--replicate '*')`);
  }
  if (copy.state === 'live') {
    throw refused(
      'origin-lives',
      `${status.node.name} still follows ${copy.upstream}; add an origin with --peer instead`,
    );
  }
}

async function copyAll(ledger: Ledger, options: RebuildOptions): Promise<string> {
  const { clock, random, observer, source, address, signal, received } = options;
  const ended = new AbortController();
  let clusterId = '';
  let failure: unknown;
  const replica = await Replica.open({
    ledger,
    clock,
    observer,
    part: `rebuild from ${address}`,
    filter: everything,
    onResync: () => {},
  });
  const loop = new FollowLoop({
    part: `rebuild from ${address}`,
    upstream: () => ({
      name: address,
      feed: source.upstream,
      succeeded: () => ended.abort(),
      failed: (error) => {
        failure = error;
        // What the other side refuses it refuses again.
        if (error instanceof MeridianError && error.code === 'FAILED_PRECONDITION') ended.abort();
      },
    }),
    sink: {
      start: () => replica.start(),
      opened: async (event: Opened) => {
        clusterId = event.clusterId;
      },
      apply: async (event) => {
        await replica.apply(event);
        if (event.kind === 'changes') received(event.records.length);
      },
      durable: () => replica.durable(),
    },
    tracker: new StalenessTracker(clock, options.clockSkewMsMax),
    open: () => {
      const node = { name: options.name, role: 'edge', id: random.hex(8), region: options.region } as const;
      return { protocol: 1, node, nonce: random.hex(8), role: 'copy', filter: everything, values: { kind: 'all' } };
    },
    ...options,
    observer,
  });
  await loop.run(AbortSignal.any([signal, ended.signal]));
  signal.throwIfAborted();
  if (!replica.hasCaughtUp) throw failure;
  return clusterId;
}

/** One commit: the new identity, and every earlier origin's retirement. */
async function found(ledger: Ledger, clusterId: string, { random, clock }: RebuildOptions): Promise<void> {
  const id = random.hex(8) as OriginId;
  const identity: OriginIdentity = { id, clusterId, founds: true };
  const { membership } = ledger.registry;
  const settlement = new Settlement(id, membership);
  await ledger.submit({
    keys: membership
      .registered()
      .map((origin) => ({ namespace: registryNamespace, key: membershipKeys.retired(origin.id) })),
    sync: true,
    bytes: 1024,
    decide: (view) => {
      const retired = membership.registered().map((origin): [string, Retirement] => {
        const final = view.state.covered.get(origin.id) ?? 0;
        const retirement = { id: origin.id, name: origin.name, final, heir: id, adopters: [id] };
        return [membershipKeys.retired(origin.id), retirement];
      });
      const { puts, state } = registryPuts({ ledger, self: id, settlement, clock }, retired, view);
      const meta = new Map<string, Uint8Array | undefined>([identityRow(identity), [replicaProgressName, undefined]]);
      return { puts, state, meta, result: undefined };
    },
  });
}

function refused(reason: string, message: string): MeridianError {
  return new MeridianError('FAILED_PRECONDITION', message, { reason });
}
