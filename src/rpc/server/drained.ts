import { MeridianError } from '../../model/errors.ts';
import { withEither } from '../../runtime/with-either.ts';
import { forwardedHeader } from '../proto.ts';
import type { Served } from './call-of.ts';

/** The request never began: the caller may ask another node, even for a write. */
export function drained(): MeridianError {
  return new MeridianError('UNAVAILABLE', 'the node takes no new traffic: it is drained, or stops', {
    reason: 'drained',
  });
}

/** A draining node still tells its status, is administered, and does for a peer what no other node can do. */
const servedWhileDraining = ['/meridian.v1.Cluster/', '/meridian.v1.Feed/'];

/** @throws UNAVAILABLE (`drained`) for a call that another node can serve, once this one drains */
export function refuseWhileDraining(served: Served, draining: AbortSignal): void {
  if (!draining.aborted) return;
  const path = served.getPath();
  if (servedWhileDraining.some((service) => path.startsWith(service))) return;
  if ((served.metadata?.get(forwardedHeader).length ?? 0) > 0) return;
  throw drained();
}

/** Serves a stream until the node hands its followers on. @throws UNAVAILABLE (`drained`) then; what `run` throws */
export async function untilHandedOn(
  handingOn: AbortSignal,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  await withEither([signal, handingOn], run).catch((error: unknown) => {
    if (!handingOn.aborted || signal.aborted) throw error;
  });
  if (handingOn.aborted && !signal.aborted) throw drained();
}
