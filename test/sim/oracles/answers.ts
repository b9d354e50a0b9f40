import { mapKey } from '../../../src/model/key.ts';
import type { GetAnswer, ListAnswer, Provenance } from '../../../src/model/key-value.ts';
import { decodeListCursor } from '../../../src/model/list-cursor.ts';
import type { NamespaceId } from '../../../src/model/namespace.ts';
import { registryNamespace } from '../../../src/model/namespace.ts';
import type { LogId } from '../../../src/model/position.ts';
import type { Record } from '../../../src/model/record.ts';
import type { Session } from '../../../src/model/session.ts';
import type { Stamp } from '../../../src/model/stamp.ts';
import { registryKeys } from '../../../src/replication/registry.ts';
import type { Remembered } from './memory.ts';
import type { During, Truth, Version } from './truth.ts';

/** One read, from the question to the answer. */
export interface Asked {
  readonly truthOf: (root: LogId | undefined) => Truth;
  readonly startMs: number;
  readonly nowMs: number;
  readonly session: Session;
  /** What the user knew when the question was put. */
  readonly remembered?: Remembered;
}

/** A key as an answer shows it: a live record, a tombstone, or nothing known of it. */
type Shown = { readonly kind: 'live' | 'tombstone'; readonly stamp: Stamp } | undefined;

/** Milliseconds; bounds are compared with some air for rounding. */
const roundingMs = 1;

/** What is wrong with an answer to a get. */
export function complaintsOfGet(key: string, answer: GetAnswer, asked: Asked): string[] {
  const { record } = answer;
  const complaints = complaintsOfKey(key, record, answer, asked);
  if (record?.kind === 'live') {
    const written = asked.truthOf(answer.bound?.root).written(record.stamp);
    if (written === undefined) complaints.push(`shows ${record.stamp}, which no disk has`);
    else if (!sameValue(record, written.record))
      complaints.push(`shows another value than was written at ${record.stamp}`);
  }
  return complaints;
}

/** What is wrong with one page: `after` is the key behind which it starts. */
export function complaintsOfList(
  { prefix, limit, after }: { readonly prefix: string; readonly limit: number; readonly after: string | undefined },
  answer: ListAnswer,
  asked: Asked,
): string[] {
  const listed = answer.keys.map(({ key }) => key);
  const sorted = [...new Set(listed)].sort();
  const complaints: string[] = [];
  if (sorted.join() !== listed.join() || listed.length > limit || listed.some((key) => !key.startsWith(prefix))) {
    complaints.push(`lists ${listed.join()} for ${limit} of ${prefix}`);
  }
  const truth = asked.truthOf(answer.bound?.root);
  for (const key of keysOfPage({ prefix, after }, answer, truth)) {
    const found = answer.keys.find((one) => one.key === key);
    if (found?.damaged === true) continue; // Nothing is said of it.
    const shown = found === undefined ? undefined : { kind: 'live' as const, stamp: found.stamp };
    complaints.push(...complaintsOfKey(key, shown, answer, asked).map((line) => `${key}: ${line}`));
  }
  return complaints;
}

/** The keys that were ever written of which the page says something: it lists them, or shows that they are not there. */
export function keysOfPage(
  { prefix, after }: { readonly prefix: string; readonly after: string | undefined },
  { namespace, cursor }: ListAnswer,
  truth: Truth,
): string[] {
  const last = cursor === undefined ? undefined : decodeListCursor(cursor, namespace, prefix);
  const isInside = (key: string) =>
    key.startsWith(prefix) && (after === undefined || key > after) && (last === undefined || key <= last);
  return truth.keys(namespace).filter(isInside);
}

/** The promises of §8 for one key of an answer. */
function complaintsOfKey(key: string, shown: Shown, answer: Provenance, asked: Asked): string[] {
  const { namespace, bound, covered } = answer;
  const { nowMs, startMs, session } = asked;
  const truth = asked.truthOf(bound?.root);
  const complaints: string[] = [];
  // An edge has heard of its origin's clock since then; one that knows no bound goes by what it can.
  const during = { fromMs: bound && startMs - bound.boundMs - roundingMs, toMs: nowMs };
  // Whoever answers may have heard of the deletion before the origin by which the answer is dated.
  const gone = isDead(asked.truthOf(undefined), namespace, nowMs);
  const said = shown === undefined ? 'nothing' : `${shown.kind} ${shown.stamp}`;
  // What a later stamp superseded covers nothing any more; it was true as long ago as the bound says.
  if (shown === undefined && covered.size === 0 && bound === undefined)
    complaints.push('shows nothing, and covers nothing');
  if (bound !== undefined) {
    const fromMs = nowMs - bound.boundMs - roundingMs;
    const possible = truth.between(namespace, key, fromMs, nowMs);
    const dead = isDead(truth, namespace, nowMs);
    if (dead && isDead(truth, namespace, fromMs)) complaints.push('shows a namespace that was deleted by then');
    if (!possible.some((version) => isShown(truth, version, shown, during)) && !(gone && shown?.kind !== 'live')) {
      complaints.push(`bound ${bound.boundMs} of ${answer.source} shows ${said}, not ${stampsOf(possible)}`);
    }
  }
  const deleted = truth.covered(registryNamespace, registryKeys.namespace(namespace), session.vector);
  if (deleted?.record.kind === 'tombstone') complaints.push('session that saw the deletion is shown the namespace');
  const seen = truth.covered(namespace, key, session.vector);
  if (!gone && !truth.reflects(seen, shown, during)) {
    complaints.push(`session that covers ${seen?.record.stamp} is shown ${said} by ${answer.source}`);
  }
  const remembered = asked.remembered?.get(mapKey(namespace, key));
  const known = remembered === undefined ? undefined : truth.surviving(remembered);
  if (!gone && !truth.reflects(known, shown, during)) {
    complaints.push(`user who saw ${remembered} is shown ${said} by ${answer.source}`);
  }
  // What the feed superseded is served when all else fails: it is past, and covers less than its part.
  if (answer.past && answer.source === 'cache') return complaints;
  const required = truth.covered(namespace, key, covered);
  if (!gone && !truth.reflects(required, shown, during)) {
    complaints.push(`covers ${required?.record.stamp} and shows ${said} of ${answer.source}`);
  }
  return complaints;
}

function isShown(truth: Truth, version: Version | undefined, shown: Shown, during: During): boolean {
  if (shown === undefined) return truth.mayBeAbsent(version?.record, during);
  if (version?.record.stamp !== shown.stamp) return false;
  const { record } = version;
  return shown.kind === 'live' ? truth.mayBeReadable(record, during) : truth.mayBeAbsent(record, during);
}

export function isDead(truth: Truth, namespace: NamespaceId, atMs: number): boolean {
  const [version] = truth.between(registryNamespace, registryKeys.namespace(namespace), atMs, atMs);
  return version?.record.kind === 'tombstone';
}

function sameValue(a: Record, b: Record): boolean {
  return a.kind === 'live' && b.kind === 'live' && Buffer.compare(a.value, b.value) === 0 && a.metadata === b.metadata;
}

function stampsOf(versions: ReadonlyArray<Version | undefined>): string {
  return versions.map((version) => `${version?.record.kind} ${version?.record.stamp}`).join(' or ');
}
