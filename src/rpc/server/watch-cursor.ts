import type { FeedEvent, FollowStart } from '../../model/feed.ts';
import type { NamespaceId } from '../../model/namespace.ts';
import { parseVector, type VersionVector } from '../../model/version-vector.ts';
import { malformed } from '../codec/record-codec.ts';

interface Scope {
  readonly namespace: NamespaceId;
  readonly prefix: string;
}

type Written = [version: 2, namespace: string, prefix: string, components: Array<[string, number]>];

/** Opaque to clients; a cursor resumes the watch of the same namespace and prefix, at any node. */
export function encodeWatchCursor(cursor: VersionVector, { namespace, prefix }: Scope): string {
  const written: Written = [2, namespace, prefix, [...cursor]];
  return Buffer.from(JSON.stringify(written)).toString('base64url');
}

/** @throws INVALID_ARGUMENT if it is no cursor of a watch, or of another one */
export function decodeWatchCursor(text: string, scope: Scope): VersionVector {
  const bad = () => malformed('the cursor of a watch of this namespace and prefix', text);
  let written: unknown;
  try {
    written = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    throw bad(); // The parser's own words would say nothing to the caller.
  }
  if (!Array.isArray(written)) throw bad();
  const [version, namespace, prefix, components] = written as readonly unknown[];
  const vector = parseVector(components);
  const isOfScope = version === 2 && namespace === scope.namespace && prefix === scope.prefix;
  if (!isOfScope || vector === undefined) throw bad();
  return vector;
}

/**
 * Where a watch may resume. A node also shows what it holds and does not cover yet: after that no cursor is given until
 * a step covers it, as another node may not have heard of it, and would go back to an earlier record.
 *
 *     a {o: 5}  step {o: 5}  cursor   ·   b {p: 9}  step {o: 5}  none   ·   c {o: 6}  step {o: 6, p: 9}  cursor
 */
export class WatchCursors {
  #given: boolean;

  /** A watch from now on must be given a cursor at once: otherwise it could not tell what it missed. */
  constructor(start: FollowStart['kind']) {
    this.#given = start !== 'now';
  }

  /** The cursor after this event; undefined if the watch may not resume there. */
  after(event: FeedEvent): VersionVector | undefined {
    const step = event.kind === 'caught-up' ? event : event.kind === 'changes' ? event.step : undefined;
    if (step === undefined || (this.#given && step.behind === true)) return undefined;
    this.#given = true;
    return step.vector;
  }
}
