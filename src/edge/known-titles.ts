import type { NamespaceId } from '../model/namespace.ts';
import type { LogId } from '../model/position.ts';
import type { VersionVector } from '../model/version-vector.ts';
import { rememberLatest } from '../runtime/remember-latest.ts';

/** Titles at most; of more, the one heard of longest ago is forgotten, which costs a load. */
const titlesMax = 1024;

interface Said {
  readonly namespace: NamespaceId;
  /** What the upstream covered: in a state that covers this, the title means that namespace. */
  readonly covered: VersionVector;
}

/**
 * What upstreams said that titles mean, ahead of the feed. A write that a session saw and that is not here yet may have
 * given the title to another namespace. If an upstream resolved the title in a state that covers the session, it did
 * not.
 */
export class KnownTitles {
  readonly #said = new Map<string, Said>();

  /** An upstream answered for a namespace that was asked for by this name. */
  learn(name: string, namespace: NamespaceId, covered: VersionVector): void {
    if (name !== namespace) rememberLatest(this.#said, name, { namespace, covered }, titlesMax);
  }

  /** True for an id, and for a title that was said to mean the namespace up to that place in the log, or later. */
  isSure(name: string, namespace: NamespaceId, log: LogId, sequence: number): boolean {
    if (name === namespace) return true;
    const said = this.#said.get(name);
    return said?.namespace === namespace && (said.covered.get(log) ?? 0) >= sequence;
  }
}
