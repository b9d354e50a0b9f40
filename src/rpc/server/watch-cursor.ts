import { type Cursor, cursorOf, type Epochs } from '../../model/epoch.ts';
import type { FeedEvent, FollowStart } from '../../model/feed.ts';
import type { NamespaceId } from '../../model/namespace.ts';
import { covers, emptyVector, type VersionVector, withPosition } from '../../model/version-vector.ts';
import { decodeNamespaceId, decodeOrigin, malformed } from '../codec/record-codec.ts';

interface Scope {
  readonly namespace: NamespaceId;
  readonly prefix: string;
}

type Written = [version: 1, namespace: string, prefix: string, components: Array<[string, number, number | null]>];

/** Opaque to clients; a cursor resumes the watch of the same namespace and prefix, at any node. */
export function encodeWatchCursor(cursor: Cursor, { namespace, prefix }: Scope): string {
  const components = [...cursor].map(([origin, { sequence, epoch }]): Written[3][number] => [
    origin,
    sequence,
    epoch ?? null,
  ]);
  const written: Written = [1, namespace, prefix, components];
  return Buffer.from(JSON.stringify(written)).toString('base64url');
}

/** @throws INVALID_ARGUMENT where it is no cursor of a watch, or of another one */
export function decodeWatchCursor(text: string, scope: Scope): Cursor {
  const bad = () => malformed('the cursor of a watch of this namespace and prefix', text);
  let written: unknown;
  try {
    written = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    throw bad(); // The parser's own words would say nothing to whoever passed it.
  }
  if (!isWritten(written)) throw bad();
  const [, namespace, prefix, components] = written;
  if (decodeNamespaceId(namespace) !== scope.namespace || prefix !== scope.prefix) throw bad();
  return new Map(
    components.map(([origin, sequence, epoch]) => [decodeOrigin(origin), { sequence, epoch: epoch ?? undefined }]),
  );
}

/**
 * From where a watch may resume. A node shows also what it holds and does not cover yet: behind that no cursor is given,
 * until a step covers it, as another node may have yet to hear of it, and would go back to an earlier record.
 *
 *     a {o: 5}  step {o: 5}  cursor   ·   b {p: 9}  step {o: 5}  none   ·   c {o: 6}  step {o: 6, p: 9}  cursor
 */
export class WatchCursors {
  /** Steps tell them only where they changed. */
  #epochs: Epochs = new Map();
  #shown: VersionVector = emptyVector;
  #given: boolean;

  /** A watch from now on must be given one at once: it could not tell what it missed else. */
  constructor(start: FollowStart['kind']) {
    this.#given = start !== 'now';
  }

  /** The cursor behind this event; undefined where it is none to resume at. */
  after(event: FeedEvent): Cursor | undefined {
    if (event.kind === 'resync') this.#shown = emptyVector;
    if (event.kind === 'changes') {
      for (const { position } of event.records) this.#shown = withPosition(this.#shown, position);
    }
    const step = event.kind === 'caught-up' ? event : event.kind === 'changes' ? event.step : undefined;
    if (step === undefined) return undefined;
    if (step.epochs !== undefined) this.#epochs = step.epochs;
    if (this.#given && !covers(step.vector, this.#shown)) return undefined;
    this.#given = true;
    return cursorOf(step.vector, this.#epochs);
  }
}

function isWritten(value: unknown): value is Written {
  if (!Array.isArray(value) || value[0] !== 1 || typeof value[1] !== 'string' || typeof value[2] !== 'string')
    return false;
  const components: unknown = value[3];
  return (
    Array.isArray(components) &&
    components.every(
      (c: unknown) =>
        Array.isArray(c) &&
        typeof c[0] === 'string' &&
        Number.isSafeInteger(c[1]) &&
        (c[2] === null || Number.isInteger(c[2])),
    )
  );
}
