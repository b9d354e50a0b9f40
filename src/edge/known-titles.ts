import type { NamespaceId } from '../model/namespace.ts';
import type { LogId } from '../model/position.ts';
import type { VersionVector } from '../model/version-vector.ts';
import { rememberLatest } from '../runtime/remember-latest.ts';

/** Titles at most; of more the one that was heard of longest ago is forgotten, and costs a load. */
const titlesMax = 1024;

interface Said {
  readonly namespace: NamespaceId;
  /** By whoever said so: in a state that covers this the title means that namespace. */
  readonly covered: VersionVector;
}

/**
 * What upstreams said that titles mean, ahead of the feed. A session may have made a title mean another namespace in what
 * is not here yet; where an upstream resolved it in a state that covers the session, it has not.
 */
export class KnownTitles {
  readonly #said = new Map<string, Said>();

  /** An upstream answered for a namespace that was asked for by this name. */
  learn(name: string, namespace: NamespaceId, covered: VersionVector): void {
    if (name !== namespace) rememberLatest(this.#said, name, { namespace, covered }, titlesMax);
  }

  /** True for an id, and for a title that meant it also behind the place in that log. */
  isSure(name: string, namespace: NamespaceId, log: LogId, sequence: number): boolean {
    if (name === namespace) return true;
    const said = this.#said.get(name);
    return said?.namespace === namespace && (said.covered.get(log) ?? 0) >= sequence;
  }
}
