import { MeridianError } from '../model/errors.ts';
import type { Opened } from '../model/feed.ts';
import { everything } from '../model/filter.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { MemberId } from '../model/position.ts';
import { FollowLoop } from '../replication/following/follow-loop.ts';
import { openAsStranger } from '../replication/following/open-as-stranger.ts';
import { copyProgressName, Replica } from '../replication/following/replica.ts';
import { StalenessTracker } from '../replication/following/staleness-tracker.ts';
import { Ledger } from '../replication/ledger.ts';
import { logKeys, type Removal } from '../replication/logs.ts';
import { identityRow, type OriginIdentity, readIdentity } from './membership/identity.ts';
import type { OriginOptions } from './origin-options.ts';
import { OwnLog } from './own-log.ts';
import type { PeerConnection } from './peer-link.ts';

export interface RebuildOptions extends OriginOptions {
  /** A node that holds a copy of everything, and whose origins are gone. */
  readonly source: PeerConnection;
  readonly address: string;
  readonly signal: AbortSignal;
  /** Called with each batch of records that arrived. */
  readonly received: (records: number) => void;
}

/**
 * Fills an empty store from a copy, for a cluster that lost the disk of every origin: records keep their stamps, the
 * cluster its id, and in one act every earlier member is removed and its logs are sealed at what the copy covers, so
 * that none of them goes on beside the new one. Afterwards the store is opened as any origin's.
 * @throws FAILED_PRECONDITION if the store is not empty, or the node copies less than everything or still follows an
 * origin
 */
export async function rebuildStore(options: RebuildOptions): Promise<void> {
  const ledger = await Ledger.open({ ...options, store: options.stores.store });
  try {
    if (await isBegun(ledger)) return;
    await checkOrphaned(options);
    const clusterId = await copyAll(ledger, options);
    await foundOver(ledger, { ...options, clusterId });
  } finally {
    await ledger.close();
  }
}

/** True if an earlier rebuild came to its end. An interrupted one goes on where it was. */
async function isBegun(ledger: Ledger): Promise<boolean> {
  if ((await readIdentity(ledger.store)) !== undefined) return true;
  const progress = await ledger.store.meta(copyProgressName);
  if (progress === undefined && ledger.state.covered.size > 0) {
    throw refused('store-not-empty', 'an origin is rebuilt in an empty folder, and this one holds records');
  }
  return false;
}

/** Refuses while an origin lives: the rebuilt one would take its place. */
async function checkOrphaned({ source, address, clock, signal }: RebuildOptions): Promise<void> {
  const status = await source.upstream.status({ deadlineMs: clock.monotonicMs() + 10_000, signal });
  const copy = status.scopes.find(({ kind }) => kind === 'copy');
  if (copy === undefined || !copy.filter.includes('*')) {
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
    scope: `rebuild from ${address}`,
    filter: everything,
  });
  const loop = new FollowLoop({
    scope: `rebuild from ${address}`,
    upstream: () => ({
      name: address,
      feed: source.upstream,
      succeeded: () => ended.abort(),
      failed: (error) => {
        failure = error;
        // What the other side refuses once it would refuse again.
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
      checkEcho: () => replica.checkStore(),
      closed: () => {},
    },
    tracker: new StalenessTracker(clock, options.clockSkewMsMax),
    open: () => openAsStranger(options, random),
    ...options,
    observer,
  });
  await loop.run(AbortSignal.any([signal, ended.signal]));
  signal.throwIfAborted();
  if (!replica.hasCaughtUp) throw failure;
  return clusterId;
}

export interface FoundOptions extends Pick<OriginOptions, 'random' | 'clock'> {
  readonly clusterId: string;
  /** True if what earlier members have beyond this is to be undone. Default: they write it again on coming back. */
  readonly undoes?: boolean;
}

/**
 * Goes on as the same cluster over what the store holds. One commit: the new identity, every earlier member's removal, and
 * where each of their logs ends.
 */
export async function foundOver(ledger: Ledger, { clusterId, random, clock, undoes }: FoundOptions): Promise<void> {
  const id = random.hex(8) as MemberId;
  const identity: OriginIdentity = { id, clusterId, founds: true };
  const { members, logs } = ledger.registry;
  const ownLog = new OwnLog({ member: id, logs, random, clock });
  // Also members that the copy knows by a removal alone: each would be waited for.
  const earlier = [...members.counted()].map((member) => ({ id: member, name: members.nameOf(member) }));
  const open = [...logs.all()].filter(({ seal }) => seal === undefined);
  const keys = [...open.map(({ log }) => logKeys.log(log)), ...earlier.map((member) => logKeys.removed(member.id))];
  await ledger.submit({
    keys: keys.map((key) => ({ namespace: registryNamespace, key })),
    sync: true,
    bytes: 512 * keys.length,
    decide: (view) => {
      const append = ownLog.append(view);
      for (const known of open) append.seals(known);
      for (const { id: gone, name } of earlier) {
        append.registers(
          (): Removal => ({
            ...{ name, successor: id, members: [id], enough: true, reports: 1 },
            ...(undoes === true ? { undone: true } : {}),
          }),
          logKeys.removed(gone),
        );
      }
      const meta = new Map<string, Uint8Array | undefined>([identityRow(identity), [copyProgressName, undefined]]);
      const { puts, state } = append.decided();
      return { puts, state, meta, result: undefined };
    },
  });
}

function refused(reason: string, message: string): MeridianError {
  return new MeridianError('FAILED_PRECONDITION', message, { reason });
}
