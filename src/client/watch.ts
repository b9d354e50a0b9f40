import { hasTokenEnded, MeridianError } from '../model/errors.ts';
import type { Backoff } from '../runtime/backoff.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import { either } from '../runtime/with-either.ts';
import { parseMetadata } from './answer.ts';
import type { Change } from './change.ts';
import type { Endpoints } from './endpoints.ts';
import type { SessionKeeper } from './session-keeper.ts';
import type { WatchEvent, WatchRequest } from './watch-event.ts';

export interface WatchContext {
  readonly endpoints: Endpoints;
  readonly session: SessionKeeper;
  readonly clock: Clock;
  readonly backoff: Backoff;
}

/** What is watched; the session is the client's own at each attempt. */
type Watched = Omit<WatchRequest, 'session'>;

/**
 * Watches until one of the signals is aborted: whenever the stream ends or breaks, it backs off and goes on behind the
 * last cursor, at the next endpoint where this one failed. What no retry can mend is thrown.
 */
export async function* watch<Metadata>(
  context: WatchContext,
  request: Watched,
  signals: readonly AbortSignal[],
): AsyncGenerator<Change<Metadata>, void, undefined> {
  const stop = either(signals);
  try {
    yield* watchUntil<Metadata>(context, request, stop.signal);
  } finally {
    stop.release();
  }
}

async function* watchUntil<Metadata>(
  context: WatchContext,
  request: Watched,
  signal: AbortSignal,
): AsyncGenerator<Change<Metadata>, void, undefined> {
  let from = request;
  let shown = false;
  while (!signal.aborted) {
    const node = context.endpoints.current;
    // It broke off before there was anything to go on from: all records come (again), and another node may be behind.
    if (shown && from.cursor === undefined) {
      from = anew(request);
      yield { kind: 'reset' };
    }
    shown = false;
    let wasServed = false;
    try {
      for await (const event of node.watch({ ...from, session: context.session.namespaces }, signal)) {
        if (signal.aborted) return;
        wasServed = true;
        context.backoff.succeeded();
        if (event.kind === 'reset') from = anew(request);
        if (event.cursor !== undefined) from = { ...from, cursor: event.cursor };
        if (event.kind === 'progress') continue;
        shown = true;
        remember(context.session, event);
        yield toChange<Metadata>(event);
      }
    } catch (error) {
      if (signal.aborted) return;
      // The next attempt presents the token of now, and tells where there is no other one.
      const mayGoOnHere = wasServed && hasTokenEnded(error);
      if (!mayGoOnHere && !mayPass(error)) throw error;
      if (!mayGoOnHere) context.endpoints.moveOnFrom(node);
    }
    if (await wasStopped(context, signal)) return;
  }
}

/** What came before a reset is void, the cursor too: another node might take it, and tell of nothing before it. */
function anew({ namespace, prefix }: Watched): Watched {
  return { namespace, prefix, fromStart: true };
}

/** Waits before the next attempt; true where the signal came first. */
async function wasStopped({ clock, backoff }: WatchContext, signal: AbortSignal): Promise<boolean> {
  return sleep(clock, backoff.nextMs(), signal).then(
    () => false,
    () => true,
  );
}

function mayPass(error: unknown): boolean {
  if (!(error instanceof MeridianError)) return false;
  switch (error.code) {
    case 'UNAVAILABLE':
    case 'RESOURCE_EXHAUSTED':
    case 'DEADLINE_EXCEEDED':
    case 'CANCELLED':
    case 'INTERNAL':
      return true;
    default:
      return false;
  }
}

function remember(session: SessionKeeper, event: WatchEvent): void {
  if (event.kind === 'put' || event.kind === 'delete') session.sawRecord(event.position, event.stamp);
}

function toChange<Metadata>(event: Exclude<WatchEvent, { kind: 'progress' }>): Change<Metadata> {
  const cursor = event.cursor === undefined ? {} : { cursor: event.cursor };
  if (event.kind === 'delete') return { kind: 'delete', key: event.key, version: event.stamp, ...cursor };
  if (event.kind !== 'put') return { kind: event.kind, ...cursor };
  return {
    kind: 'put',
    key: event.key,
    value: event.value ?? null,
    metadata: parseMetadata<Metadata>(event.metadata),
    metadataText: event.metadata ?? null,
    expiration: event.expiresAt ?? null,
    version: event.stamp,
    ...cursor,
  };
}
