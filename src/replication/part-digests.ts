import type { DigestRequest, PartDigest } from '../model/cluster.ts';
import { MeridianError } from '../model/errors.ts';
import { type Filter, prefixesOf } from '../model/filter.ts';
import { Semaphore } from '../runtime/semaphore.ts';
import { digestOf } from './digest.ts';
import type { Ledger } from './ledger.ts';

/** A part that is held whole. */
export interface DigestedPart {
  readonly part: PartDigest['part'];
  readonly ledger: Ledger;
  readonly filter: Filter;
}

/** Digests under way and waiting; one more is refused, for each reads everything. */
const waitingMax = 4;

/** Computes the digests of a node, one after another: each reads all that the node holds. */
export class PartDigests {
  readonly #places = new Semaphore(1, waitingMax);

  /**
   * Of every living namespace as far as it is of a part, all of a part at one instant of its store.
   * @throws RESOURCE_EXHAUSTED where too many wait already
   */
  async of(
    parts: readonly DigestedPart[],
    { second }: DigestRequest,
    signal: AbortSignal,
  ): Promise<readonly PartDigest[]> {
    if (!(await this.#places.acquire(signal))) {
      throw new MeridianError('RESOURCE_EXHAUSTED', `${waitingMax} digests wait already`, {
        reason: 'too-many-digests',
        limit: waitingMax,
        retryAfterMs: 5000,
      });
    }
    try {
      const digests: PartDigest[] = [];
      for (const part of parts) digests.push(...(await ofPart(part, second, signal)));
      return digests;
    } finally {
      this.#places.release();
    }
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
