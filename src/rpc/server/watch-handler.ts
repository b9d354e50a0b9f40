import type { ServerWritableStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import { MeridianError } from '../../model/errors.ts';
import type { FeedEvent, FollowOpen, FollowStart } from '../../model/feed.ts';
import { limits } from '../../model/limits.ts';
import { type NamespaceInfo, namespaceKey, registryNamespace } from '../../model/namespace.ts';
import { emptySession } from '../../model/session.ts';
import { strangerOf } from '../../model/stranger.ts';
import type { VersionVector } from '../../model/version-vector.ts';
import type { AnswerRoom } from '../../runtime/answer-room.ts';
import type { Random } from '../../runtime/random.ts';
import { silence } from '../../runtime/silence.ts';
import { decodeSession, type WireSession } from '../codec/record-codec.ts';
import { pieceBytesMax } from '../proto.ts';
import { callOf, type Timing } from './call-of.ts';
import { untilHandedOn } from './drained.ts';
import { readable } from './strict-requests.ts';
import { endlessStream } from './unary.ts';
import { decodeWatchCursor, encodeWatchCursor, WatchCursors } from './watch-cursor.ts';
import { WatchMessages, type WireWatchResponse } from './watch-messages.ts';
import { WatchSender } from './watch-sender.ts';

interface WireWatchRequest {
  readonly namespace: string;
  readonly prefix: string;
  readonly cursor: string;
  readonly fromStart: boolean;
  readonly session: WireSession | null;
}

type Served = ServerWritableStream<WireWatchRequest, WireWatchResponse>;

/** Watches at once at one node, whatever they are answered from. */
const watchersMax = 2048;

/** A client's watch: one range of the feed, sent as changes with cursors at the end of consistent steps. */
export function watchHandlers(
  timing: Timing,
  { random, room, most = watchersMax }: { readonly random: Random; readonly room: AnswerRoom; readonly most?: number },
): UntypedServiceImplementation {
  let watching = 0;
  const watch = async (served: Served, signal: AbortSignal) => {
    const upstream = timing.enter(served);
    const { namespace: name, prefix, cursor, fromStart, session } = readable(served.request);
    checkPrefix(prefix);
    const { deadlineMs } = callOf(served, timing);
    const namespace = await upstream.find(name, { deadlineMs, signal }, decodeSession(session));
    const scope = { namespace: namespace.id, prefix };
    const start = startOf(cursor === '' ? undefined : decodeWatchCursor(cursor, scope), fromStart);
    const end = { namespace: registryNamespace, prefix: namespaceKey(namespace.id) };
    const open: FollowOpen = {
      ...strangerOf({ name: 'watch', region: '' }, random),
      role: 'watch',
      filter: { includes: [scope, end], excludes: [] },
      values: { kind: 'inline', bytesMax: pieceBytesMax },
      start,
    };
    const cursors = new WatchCursors(start.kind);
    const messages = new WatchMessages(timing.clock);
    const sender = new WatchSender({ served, room, caller: served.getPeer() });
    let checked = false;
    for await (const event of upstream.follow(open, silence(signal), signal)) {
      refuseDeleted(event, namespace);
      if (event.kind === 'caught-up' && !checked) {
        // The name may have been looked up where a deletion was not known yet of which the followed node shows no more.
        const asked = { deadlineMs: timing.clock.monotonicMs() + timing.requestTimeoutMs, signal };
        await upstream.find(namespace.id, asked, { ...emptySession, vector: event.vector });
        checked = true;
      }
      const behind = cursors.after(event);
      for (const message of messages.of(event, behind && (() => encodeWatchCursor(behind, scope)))) {
        await sender.send(message, signal);
      }
    }
  };
  return {
    Watch: (served: Served) =>
      endlessStream(timing, served, async (signal) => {
        if (watching >= most) throw tooManyWatchers(most);
        watching++;
        const until = untilHandedOn(timing.handingOn, signal, (ending) => watch(served, ending));
        await until.finally(() => watching--);
      }),
  };
}

/** The records of a deleted namespace go without a trace, so a watch of it would wait for ever. */
function refuseDeleted(event: FeedEvent, { id, title }: NamespaceInfo): void {
  if (event.kind !== 'changes') return;
  const key = namespaceKey(id);
  const isEnd = event.records.some((record) => {
    return record.kind === 'tombstone' && record.namespace === registryNamespace && record.key === key;
  });
  if (!isEnd) return;
  throw new MeridianError('NOT_FOUND', `the namespace ${title} was deleted`, { reason: 'namespace-deleted' });
}

/** It is kept, and stands in each cursor, for as long as the watch lasts. */
function checkPrefix(prefix: string): void {
  const [limit, seen] = [limits.keyBytesMax, Buffer.byteLength(prefix)];
  if (seen <= limit) return;
  const message = `the prefix of a watch has at most ${limit} bytes, as a key has; this one has ${seen}`;
  throw new MeridianError('INVALID_ARGUMENT', message, { reason: 'bad-prefix', limit, seen });
}

function tooManyWatchers(most: number): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', `this node answers ${most} watches already`, {
    reason: 'too-many-watchers',
    limit: most,
    seen: most + 1,
    retryAfterMs: 5000,
  });
}

function startOf(cursor: VersionVector | undefined, fromStart: boolean): FollowStart {
  if (cursor !== undefined) return { kind: 'cursor', cursor };
  return { kind: fromStart ? 'nothing' : 'now' };
}
