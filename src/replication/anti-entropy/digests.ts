import { createHash } from 'node:crypto';
import type { DigestRequest, ScopeDigest } from '../../model/cluster.ts';
import { MeridianError } from '../../model/errors.ts';
import { type Filter, matches, prefixesOf } from '../../model/filter.ts';
import type { NamespaceId } from '../../model/namespace.ts';
import type { RangeDigest, RangeDigestRequest } from '../../model/range-digest.ts';
import { Semaphore } from '../../runtime/semaphore.ts';
import type { Snapshot } from '../../store/store.ts';
import type { Ledger } from '../ledger.ts';
import { withDamaged } from '../with-damaged.ts';
import { digestTaken, takeRange } from './range.ts';
import { addRecord, liveAt } from './record-hash.ts';

/** A scope that is held whole. */
export interface DigestedScope {
  readonly scope: ScopeDigest['scope'];
  readonly ledger: Ledger;
  readonly filter: Filter;
}

/** Whole digests that may wait for the one under way. One more is refused, since each reads everything. */
const waitingMax = 4;
/** Range digests that may wait for the one under way. A requester that is refused audits something else, later. */
const rangesWaitingMax = 64;
/** What one request digests of a range, at the most, so that the hashes fit into one message. */
const rangeBounds = { recordsMax: 2048, bytesMax: 4 * 1024 * 1024 };

/** Computes the digests of a node, one after another: a whole one reads all that the node holds. */
export class Digests {
  readonly #permits = new Semaphore(1, waitingMax);
  readonly #rangePermits = new Semaphore(1, rangesWaitingMax);

  /**
   * The digest of each living namespace, as far as it is in a scope. All of a scope is read at one instant of its
   * store.
   * @throws RESOURCE_EXHAUSTED where too many wait already
   */
  async of(
    scopes: readonly DigestedScope[],
    { second }: DigestRequest,
    signal: AbortSignal,
  ): Promise<readonly ScopeDigest[]> {
    if (!(await this.#permits.acquire(signal))) throw tooMany(waitingMax);
    try {
      const digests: ScopeDigest[] = [];
      for (const scope of scopes) digests.push(...(await ofScope(scope, second, signal)));
      return digests;
    } finally {
      this.#permits.release();
    }
  }

  /**
   * The digest of a range that the ledger's store holds whole, or of the beginning of that range.
   * @throws NOT_FOUND; RESOURCE_EXHAUSTED where too many wait already
   */
  async ofRange(ledger: Ledger, request: RangeDigestRequest, signal: AbortSignal): Promise<RangeDigest> {
    ledger.registry.require(request.namespace);
    if (!(await this.#rangePermits.acquire(signal))) throw tooMany(rangesWaitingMax);
    try {
      return await ofRange(ledger, request, signal);
    } finally {
      this.#rangePermits.release();
    }
  }
}

function tooMany(limit: number): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', `${limit} digests wait already`, {
    reason: 'too-many-digests',
    limit,
    retryAfterMs: 5000,
  });
}

async function ofRange(
  ledger: Ledger,
  { second, hashes: wanted, ...range }: RangeDigestRequest,
  signal: AbortSignal,
): Promise<RangeDigest> {
  const { snapshot, state } = ledger.instant();
  try {
    const taken = await takeRange(snapshot, range, rangeBounds);
    const { records, digest, hashes } = await digestTaken(taken, snapshot, second, signal);
    const { through } = taken.range;
    return {
      vector: state.covered,
      ...(through === undefined ? {} : { through }),
      records,
      digest,
      hashes: wanted ? hashes.map(({ key, hash }) => ({ key, hash })) : [],
    };
  } finally {
    await snapshot.close();
  }
}

async function ofScope(
  { scope, ledger, filter }: DigestedScope,
  second: number,
  signal: AbortSignal,
): Promise<readonly ScopeDigest[]> {
  const { snapshot, state } = ledger.instant();
  const namespaces = ledger.registry.namespaces();
  try {
    const digests: ScopeDigest[] = [];
    for (const { id: namespace, title } of namespaces) {
      const prefixes = prefixesOf(filter, namespace);
      if (prefixes.length === 0) continue;
      const found = await digestNamespace(snapshot, namespace, filter, { second, signal });
      digests.push({ scope, namespace, title, prefixes, vector: state.covered, second, ...found });
    }
    return digests;
  } finally {
    await snapshot.close();
  }
}

/**
 * The digest of the live records of one namespace, in record order. Two digests are equal exactly when the records are
 * (SHA-256). A record that has expired by the second is left out, even if its value is still stored. If any record is
 * damaged, the digest is unknown.
 */
async function digestNamespace(
  snapshot: Snapshot,
  namespace: NamespaceId,
  filter: Filter,
  { second, signal }: { readonly second: number; readonly signal: AbortSignal },
): Promise<Pick<ScopeDigest, 'digest' | 'records' | 'damaged'>> {
  const hash = createHash('sha256');
  let [records, damaged] = [0, 0];
  for await (const stored of withDamaged(snapshot, { namespace })) {
    signal.throwIfAborted();
    if (!matches(filter, namespace, stored.key)) continue;
    const record = await liveAt(second, stored, snapshot);
    if (record === 'damaged') damaged++;
    if (record === undefined || record === 'damaged') continue;
    addRecord(hash, record);
    records++;
  }
  return damaged === 0 ? { digest: hash.digest('hex'), records } : { records, damaged };
}
