import type { DigestRequest, PartDigest } from '../model/cluster.ts';
import { MeridianError } from '../model/errors.ts';
import { type Filter, prefixesOf } from '../model/filter.ts';
import type { RangeDigest, RangeDigestRequest } from '../model/range-digest.ts';
import { Semaphore } from '../runtime/semaphore.ts';
import { unknownOpening } from './check-cursor.ts';
import { digestOf } from './digest.ts';
import type { Ledger } from './ledger.ts';
import { takeStretch } from './stretch.ts';
import { digestStretch } from './stretch-digest.ts';

/** A part that is held whole. */
export interface DigestedPart {
  readonly part: PartDigest['part'];
  readonly ledger: Ledger;
  readonly filter: Filter;
}

/** Digests under way and waiting; one more is refused, for each reads everything. */
const waitingMax = 4;
/** Digests of stretches that wait for the one under way. Whoever is refused audits something else, later. */
const stretchesWaitingMax = 64;
/** What one request digests of a stretch, at the most: its marks fit into a message. */
const stretchBounds = { recordsMax: 2048, bytesMax: 4 * 1024 * 1024 };

/** Computes the digests of a node, one after another: a whole one reads all that the node holds. */
export class PartDigests {
  readonly #places = new Semaphore(1, waitingMax);
  readonly #stretchPlaces = new Semaphore(1, stretchesWaitingMax);

  /**
   * Of every living namespace as far as it is of a part, all of a part at one instant of its store.
   * @throws RESOURCE_EXHAUSTED where too many wait already
   */
  async of(
    parts: readonly DigestedPart[],
    { second }: DigestRequest,
    signal: AbortSignal,
  ): Promise<readonly PartDigest[]> {
    if (!(await this.#places.acquire(signal))) throw tooMany(waitingMax);
    try {
      const digests: PartDigest[] = [];
      for (const part of parts) digests.push(...(await ofPart(part, second, signal)));
      return digests;
    } finally {
      this.#places.release();
    }
  }

  /**
   * Of a stretch that the ledger's store holds whole, or of its beginning.
   * @throws NOT_FOUND; FAILED_PRECONDITION where the cursor is of another life of a disk; RESOURCE_EXHAUSTED where too many wait already
   */
  async ofStretch(ledger: Ledger, request: RangeDigestRequest, signal: AbortSignal): Promise<RangeDigest> {
    ledger.registry.require(request.namespace);
    if (!(await this.#stretchPlaces.acquire(signal))) throw tooMany(stretchesWaitingMax);
    try {
      return await ofStretch(ledger, request, signal);
    } finally {
      this.#stretchPlaces.release();
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

async function ofStretch(
  ledger: Ledger,
  { second, marks: wanted, cursor, ...stretch }: RangeDigestRequest,
  signal: AbortSignal,
): Promise<RangeDigest> {
  const { snapshot, state } = ledger.instant();
  try {
    const torn = unknownOpening(cursor, state);
    if (torn !== undefined) {
      throw new MeridianError('FAILED_PRECONDITION', `another life of the disk of origin ${torn} is known here`, {
        reason: 'unknown-epoch',
      });
    }
    const taken = await takeStretch(snapshot, stretch, stretchBounds);
    const { records, digest, marks } = await digestStretch(taken, snapshot, second, signal);
    const { through } = taken.stretch;
    const end = through === undefined ? {} : { through };
    return {
      vector: state.covered,
      ...end,
      records,
      digest,
      marks: wanted ? marks.map(({ key, hash }) => ({ key, hash })) : [],
    };
  } finally {
    await snapshot.close();
  }
}

async function ofPart(
  { part, ledger, filter }: DigestedPart,
  second: number,
  signal: AbortSignal,
): Promise<readonly PartDigest[]> {
  const { snapshot, state } = ledger.instant();
  const namespaces = ledger.registry.namespaces();
  try {
    const digests: PartDigest[] = [];
    for (const { id: namespace, title } of namespaces) {
      const prefixes = prefixesOf(filter, namespace);
      if (prefixes.length === 0) continue;
      const found = await digestOf({ snapshot, namespace, filter, second, signal });
      digests.push({ part, namespace, title, prefixes, vector: state.covered, second, ...found });
    }
    return digests;
  } finally {
    await snapshot.close();
  }
}
