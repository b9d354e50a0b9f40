import type { ServerWritableStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Cursor } from '../../model/epoch.ts';
import { MeridianError } from '../../model/errors.ts';
import type { Change, FeedEvent, FollowStart } from '../../model/feed.ts';
import { type NamespaceInfo, namespaceKey, registryNamespace } from '../../model/namespace.ts';
import type { Upstream } from '../../model/upstream.ts';
import type { Random } from '../../runtime/random.ts';
import { optional } from '../codec/record-codec.ts';
import { pieceBytesMax } from '../proto.ts';
import { callOf, type Timing } from './call-of.ts';
import { endlessStream, writeTo } from './unary.ts';
import { decodeWatchCursor, encodeWatchCursor, WatchCursors } from './watch-cursor.ts';

interface WireWatchRequest {
  readonly namespace: string;
  readonly prefix: string;
  readonly cursor: string;
  readonly fromStart: boolean;
}

export interface WireWatchResponse {
  readonly event?: 'change' | 'reset' | 'caughtUp';
  readonly change?: {
    readonly key: string;
    readonly found: boolean;
    readonly value: Uint8Array;
    readonly valueOmitted: boolean;
    readonly metadata?: string | null;
    readonly expiresAt?: number | null;
    readonly version: string;
    readonly position: { readonly origin: string; readonly sequence: number } | null;
  } | null;
  readonly reset?: boolean;
  readonly caughtUp?: boolean;
  readonly cursor: string;
}

type Served = ServerWritableStream<WireWatchRequest, WireWatchResponse>;

/** Watches at once at one node, wherever they are answered from. */
const watchersMax = 2048;

/** A client's watch: one range of the feed, told as changes with cursors at the end of consistent steps. */
export function watchHandlers(
  upstream: Upstream,
  timing: Timing,
  { random, most = watchersMax }: { readonly random: Random; readonly most?: number },
): UntypedServiceImplementation {
  let watching = 0;
  const watch = async (served: Served, signal: AbortSignal) => {
    const { namespace: name, prefix, cursor, fromStart } = served.request;
    const { deadlineMs } = callOf(served, timing);
    const namespace = await upstream.find(name, { deadlineMs, signal });
    const scope = { namespace: namespace.id, prefix };
    const start = startOf(cursor === '' ? undefined : decodeWatchCursor(cursor, scope), fromStart);
    const open = {
      protocol: 1,
      node: { name: 'watch', role: 'edge' as const, id: random.hex(8), region: '' },
      nonce: random.hex(8),
      role: 'watch' as const,
      filter: { includes: [scope, { namespace: registryNamespace, prefix: namespaceKey(namespace.id) }], excludes: [] },
      values: { kind: 'inline' as const, bytesMax: pieceBytesMax },
      start,
    };
    const cursors = new WatchCursors(start.kind);
    for await (const event of upstream.follow(open, silence(signal), signal)) {
      refuseDeleted(event, namespace);
      const behind = cursors.after(event);
      for (const response of responses(event, behind === undefined ? '' : encodeWatchCursor(behind, scope))) {
        await writeTo(served, response, signal);
      }
    }
  };
  return {
    Watch: (served: Served) =>
      endlessStream(timing, served, async (signal) => {
        if (watching >= most) throw tooManyWatchers(most);
        watching++;
        await watch(served, signal).finally(() => watching--);
      }),
  };
}

/** Its records go without a trace, so that a watch of a deleted namespace would wait for ever. */
function refuseDeleted(event: FeedEvent, { id, title }: NamespaceInfo): void {
  if (event.kind !== 'changes') return;
  const key = namespaceKey(id);
  const isEnd = event.records.some((record) => {
    return record.kind === 'tombstone' && record.namespace === registryNamespace && record.key === key;
  });
  if (!isEnd) return;
  throw new MeridianError('NOT_FOUND', `the namespace ${title} was deleted`, { reason: 'namespace-deleted' });
}

function tooManyWatchers(most: number): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', `this node answers ${most} watches already`, {
    reason: 'too-many-watchers',
    limit: most,
    seen: most + 1,
    retryAfterMs: 5000,
  });
}

function startOf(cursor: Cursor | undefined, fromStart: boolean): FollowStart {
  if (cursor !== undefined) return { kind: 'cursor', cursor };
  return { kind: fromStart ? 'nothing' : 'now' };
}

/** A watch sends no probes; its messages end when it does. */
async function* silence(signal: AbortSignal): AsyncGenerator<never> {
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function* responses(event: FeedEvent, cursor: string): Generator<WireWatchResponse> {
  switch (event.kind) {
    case 'resync':
      yield { reset: true, cursor: '' };
      return;
    case 'caught-up':
      yield { caughtUp: true, cursor };
      return;
    case 'changes': {
      const records = event.records.filter(({ namespace }) => namespace !== registryNamespace);
      for (const [index, record] of records.entries()) {
        yield { change: changeOf(record), cursor: index === records.length - 1 ? cursor : '' };
      }
      return;
    }
    case 'opened':
    case 'echo':
      return;
  }
}

function changeOf(record: Change): NonNullable<WireWatchResponse['change']> {
  const { key, stamp, position, expiresAt } = record;
  return {
    key,
    found: record.kind !== 'tombstone',
    value: record.kind === 'live' ? record.value : new Uint8Array(),
    valueOmitted: record.kind === 'announcement',
    ...optional('metadata', record.kind === 'tombstone' ? undefined : record.metadata),
    ...optional('expiresAt', expiresAt),
    version: stamp,
    position,
  };
}
