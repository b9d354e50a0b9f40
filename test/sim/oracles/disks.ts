import { resolvePatterns } from '../../../src/edge/replicated-filter.ts';
import { matches } from '../../../src/model/filter.ts';
import { mapKey } from '../../../src/model/key.ts';
import { type NamespaceId, registryNamespace } from '../../../src/model/namespace.ts';
import type { LogId, MemberId } from '../../../src/model/position.ts';
import { isReadable, type Record } from '../../../src/model/record.ts';
import { formatVector, type VersionVector } from '../../../src/model/version-vector.ts';
import { decodeLedgerState, ledgerStateName } from '../../../src/replication/ledger-state.ts';
import { Logs } from '../../../src/replication/logs.ts';
import type { Contents } from '../../support/memory-store.ts';
import { mayBeAbsent, skewMsMax, type Truth, wallAtStartMs } from './truth.ts';

/** Of every namespace of a run, one after the other. */
export const title = 'ns';

/** One scope of an edge: what a process sees of its disk, or would see after a crash. */
export interface Held {
  readonly contents: Contents;
  /** An origin and a copy lack nothing that they cover; a cache holds nothing that is older than what it covers. */
  readonly kind: 'origin' | 'copy' | 'cache';
  readonly replicate: readonly string[];
  /** The namespaces of the run that live. */
  readonly namespaces: readonly NamespaceId[];
}

/** What is wrong with a disk, were its node to start from it now: the covering property (architecture §2), and R3. */
export function complaintsOfScope(
  { contents, kind, replicate, namespaces }: Held,
  truth: Truth,
  nowMs: number,
): string[] {
  if (!hasCaughtUp(contents, kind)) return [];
  const covered = coveredBy(contents);
  const filter = contents.meta.get('edge/scope-filter');
  const complaints: string[] = [];
  for (const id of [registryNamespace, ...namespaces]) {
    for (const key of truth.keys(id)) {
      if (contents.damaged.has(mapKey(id, key))) continue; // Nothing is shown of it.
      const record = contents.records.get(mapKey(id, key));
      const required = truth.covered(id, key, covered);
      const whole = id === registryNamespace || (kind !== 'cache' && isCopied(replicate, id, key, filter));
      if (record === undefined && !whole) continue;
      const shown = record?.position.sequence === 0 ? undefined : record;
      if (wasDroppedEarly(truth, shown, nowMs))
        complaints.push(`${kind} dropped ${key} at ${shown?.stamp} before its expiry`);
      if (!truth.reflects(required, shown, { fromMs: nowMs, toMs: nowMs })) {
        complaints.push(
          `${kind} covers ${formatVector(covered)} and holds ${key} at ${shown?.stamp}, not ${required?.record.stamp}`,
        );
      }
    }
  }
  return complaints;
}

/** Rule R9: nothing is dropped by a clock that is wrong for a moment. */
function wasDroppedEarly(truth: Truth, held: Record | undefined, nowMs: number): boolean {
  if (held?.kind !== 'tombstone') return false;
  return !mayBeAbsent(truth.written(held.stamp)?.record, nowMs);
}

/** What differs from the origin's once everything is quiet: a copy lacks nothing, a cache holds what is the origin's. */
export function differences({ contents, kind, replicate }: Held, origin: Contents, nowMs: number): string[] {
  const complaints: string[] = [];
  const filter = contents.meta.get('edge/scope-filter');
  const there = kind !== 'cache' ? [...origin.records.values()] : [];
  const copied = there.filter(({ namespace, key }) => isCopied(replicate, namespace, key, filter));
  const names = new Set([...contents.records.keys(), ...copied.map(({ namespace, key }) => mapKey(namespace, key))]);
  for (const name of names) {
    if (contents.damaged.has(name)) continue; // Nothing is shown of it.
    const [here, there] = [contents.records.get(name), origin.records.get(name)];
    if (readableStamp(here, nowMs) === readableStamp(there, nowMs) || isEnding(here, nowMs) || isEnding(there, nowMs))
      continue;
    complaints.push(
      `${kind} holds ${name.slice(32)} ${here?.kind} ${here?.stamp}, the origin ${there?.kind} ${there?.stamp}`,
    );
  }
  return complaints;
}

function readableStamp(record: Record | undefined, nowMs: number) {
  return record !== undefined && isReadable(record, wallAtStartMs + nowMs) ? record.stamp : undefined;
}

/** Somewhere between the expiry by the fastest clock and by the slowest. */
function isEnding(record: Record | undefined, nowMs: number): boolean {
  if (record?.kind !== 'live' || record.expiresAt === undefined) return false;
  return Math.abs(record.expiresAt * 1000 - wallAtStartMs - nowMs) <= 2 * skewMsMax;
}

export function hasCaughtUp({ meta }: Contents, kind: Held['kind']): boolean {
  if (kind === 'origin') return true; // It covers nothing before.
  const stored = meta.get(kind === 'copy' ? 'replica/progress' : 'cache/caught-up');
  if (stored === undefined) return false;
  return kind === 'cache' || (JSON.parse(Buffer.from(stored).toString()) as { kind: string }).kind === 'covered';
}

export function coveredBy({ meta }: Contents): VersionVector {
  return decodeLedgerState(meta.get(ledgerStateName)).covered;
}

/**
 * What is wrong with a registry once everything is quiet: every log is sealed but those that are written in, nothing is
 * covered beyond a seal, what is covered folds to one component an origin, and titles are unique. `isWhole`: nothing was lost with an origin.
 */
export function complaintsOfRegistry(
  contents: Contents,
  { isWhole, current }: { readonly isWhole: boolean; readonly current: ReadonlySet<LogId> },
): string[] {
  const complaints: string[] = [];
  const titles = new Set<string>();
  const logs = new Logs();
  for (const record of contents.records.values()) logs.apply(record);
  const covered = coveredBy(contents);
  const beyond = logs.beyondIn(covered);
  if (beyond !== undefined) complaints.push(`covers ${covered.get(beyond)} of ${beyond}, beyond its seal`);
  for (const { log, seal } of logs.all()) {
    if (seal === undefined && !current.has(log)) complaints.push(`knows ${log}, which is not sealed`);
  }
  // It was folded by what was known as it was written: a seal of the same commit counts for the next one.
  const folded = logs.fold(covered);
  if (folded.size > current.size) complaints.push(`covers ${formatVector(folded)}: not folded`);
  for (const record of contents.records.values()) {
    if (record.namespace !== registryNamespace || record.kind !== 'live') continue;
    const [kind, id] = record.key.split('/');
    if (kind !== 'namespace') continue;
    const value = JSON.parse(Buffer.from(record.value).toString()) as { readonly title: string };
    const claim = contents.records.get(mapKey(registryNamespace, `title/${value.title}`));
    const claimed =
      claim?.kind === 'live' ? (JSON.parse(Buffer.from(claim.value).toString()) as { id: string }).id : id;
    if (claimed !== id && !isWhole) continue; // It goes by its id: its end, or new name, was lost with an origin.
    if (titles.has(value.title)) complaints.push(`knows two namespaces with the title ${value.title}`);
    titles.add(value.title);
  }
  return complaints;
}

/** By the filter that the scope was opened with: the patterns may have come to mean more since. */
function isCopied(replicate: readonly string[], id: NamespaceId, key: string, filter: Uint8Array | undefined): boolean {
  if (replicate.includes('*')) return true;
  if (filter === undefined || !Buffer.from(filter).toString().includes(id)) return false;
  const { copied } = resolvePatterns({ replicate }, [{ id, title, home: '' as MemberId }]);
  return copied !== undefined && matches(copied, id, key);
}
