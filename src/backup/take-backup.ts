import { isMeridianError, MeridianError } from '../model/errors.ts';
import type { Changes, Feed, FollowerMessage, FollowOpen, FollowStart } from '../model/feed.ts';
import { emptyVector } from '../model/version-vector.ts';
import { openAsStranger } from '../replication/following/open-as-stranger.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { withEither } from '../runtime/with-either.ts';
import type { BackupTarget } from './backup-target.ts';
import { Draft } from './draft.ts';
import { bytesOf, chainOf, cursorOf, type Manifest, partPath, readManifests } from './manifest.ts';
import { readPart } from './read-backup.ts';

export interface TakeOptions {
  /** Of the node that is backed up; it holds everything. */
  readonly feed: Feed;
  readonly target: BackupTarget;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** True where it does not go on from an earlier backup. */
  readonly whole: boolean;
  /** Milliseconds: the whole backup that it goes on from, through others, may not be older. Default: however old. */
  readonly chainMsMax?: number;
  /** Told of records that have arrived. */
  readonly received: (records: number) => void;
}

/** Milliseconds between probes, which keep the stream alive; and without an event, before the node is taken for lost. */
const probeMs = 1_000;
const silenceMsMax = 60_000;

/**
 * Takes what a node holds as a follower of its feed does: all of it, or what came since the latest backup in the target.
 * What it wrote so far it keeps where it is broken off, and goes on from there the next time.
 * @throws FAILED_PRECONDITION (the target holds another cluster, another process writes there); UNAVAILABLE; DATA_LOSS where
 * an earlier backup cannot be read
 */
export async function takeBackup(options: TakeOptions): Promise<Manifest> {
  const { target, random, clock } = options;
  const manifests = await readManifests(target);
  const latest = baseOf(manifests, options);
  const base = latest !== undefined && (await isSound(chainOf(manifests, latest), options)) ? latest : undefined;
  const draft = await Draft.open({ target, base, taker: random.hex(8), id: newId(clock, random) });
  const start: FollowStart =
    draft.base !== undefined
      ? { kind: 'cursor', cursor: cursorOf(draft.base), ...(draft.token === undefined ? {} : { token: draft.token }) }
      : draft.token === undefined
        ? { kind: 'nothing' }
        : { kind: 'partial', token: draft.token };
  const stop = new AbortController();
  return withEither([options.signal, stop.signal], async (signal) => {
    try {
      return await follow(draft, start, { ...options, signal, lost: (error) => stop.abort(error) });
    } finally {
      stop.abort();
    }
  });
}

/** What the next backup goes on from. One that would be read back with more increments than records is taken whole. */
function baseOf(manifests: readonly Manifest[], { whole, chainMsMax, clock }: TakeOptions): Manifest | undefined {
  const last = manifests.at(-1);
  if (last === undefined || whole) return undefined;
  const [root, ...increments] = chainOf(manifests, last);
  if (root === undefined) return undefined;
  if (chainMsMax !== undefined && clock.wallMs() - root.takenMs > chainMsMax) return undefined;
  return increments.reduce((sum, manifest) => sum + bytesOf(manifest), 0) > bytesOf(root) ? undefined : last;
}

/**
 * False where a part of these is missing, or the one that is read, drawn at random, is not what was written: what went on from
 * them could not be restored. That finds damage in the end, at the price of one part; `meridian backup verify` reads all.
 */
async function isSound(chain: readonly Manifest[], { target, random }: TakeOptions): Promise<boolean> {
  const names = new Set(await target.names());
  const parts = chain.flatMap(({ id, parts }) => parts.map((part) => ({ id, part })));
  if (parts.some(({ id, part }) => !names.has(partPath(id, part.name)))) return false;
  const drawn = parts[Math.floor(random.fraction() * parts.length)];
  if (drawn === undefined) return true;
  try {
    await readPart(target, drawn.id, drawn.part);
    return true;
  } catch (error) {
    if (isMeridianError(error, 'DATA_LOSS')) return false;
    throw error;
  }
}

interface Following extends TakeOptions {
  readonly lost: (error: Error) => void;
}

async function follow(draft: Draft, start: FollowStart, options: Following): Promise<Manifest> {
  const { feed, clock, random, signal, received, lost } = options;
  const watch = () =>
    clock.timer(silenceMsMax, () => {
      const message = `nothing was heard of the node for ${silenceMsMax / 1000} s`;
      lost(new MeridianError('UNAVAILABLE', message, { reason: 'silent' }));
    });
  let silent = watch();
  const open: FollowOpen = { ...openAsStranger({ name: 'backup', region: '' }, random), start };
  let openedMs = 0;
  try {
    for await (const event of feed.follow(open, probes(clock, signal), signal)) {
      silent.cancel(); // While it is written: where the backups are kept may be slow, and the node is not asked to go on.
      if (event.kind === 'opened') {
        draft.opened(event);
        openedMs = event.wallMs;
      } else if (event.kind === 'resync') await draft.restart();
      else if (event.kind === 'changes') {
        await draft.add(withoutTimes(event));
        received(event.records.length);
      } else if (event.kind === 'caught-up') return await draft.finish(event, openedMs);
      silent = watch();
    }
  } finally {
    silent.cancel();
  }
  signal.throwIfAborted();
  throw new MeridianError('UNAVAILABLE', 'the feed ended before it had caught up', { reason: 'feed-ended' });
}

/** What a step covers counts where all before it was taken; a scan that is read again has no steps. */
function withoutTimes({ step: _step, committedAtMs: _at, ...event }: Changes): Changes {
  return event;
}

async function* probes(clock: Clock, signal: AbortSignal): AsyncGenerator<FollowerMessage> {
  for (let id = 1; !signal.aborted; id++) {
    await sleep(clock, probeMs, signal).catch(() => {});
    if (!signal.aborted) yield { kind: 'probe', id, durable: emptyVector, wallMs: clock.wallMs() };
  }
}

/** Sorts by time. */
function newId(clock: Clock, random: Random): string {
  return `${new Date(clock.wallMs()).toISOString().replace(/[-:.]/g, '')}-${random.hex(4)}`;
}
