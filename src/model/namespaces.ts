import type { Call } from './call.ts';
import type { Durability } from './key-value.ts';
import type { NamespaceInfo } from './namespace.ts';
import type { Session } from './session.ts';

/** The registry as its users see it. Names are titles or ids; titles are unique. */
export interface Namespaces {
  /** @throws ALREADY_EXISTS if the title is taken; INVALID_ARGUMENT */
  create(title: string, call: Call): Promise<NamespaceChange>;
  /**
   * What the name means in a state that covers the session (default: whatever is known).
   * @throws NOT_FOUND; UNAVAILABLE if no such state is reached in time
   */
  find(name: string, call: Call, session?: Session): Promise<NamespaceInfo>;
  /** All of them, by title. */
  namespaces(call: Call): Promise<readonly NamespaceInfo[]>;
  /** @throws NOT_FOUND, ALREADY_EXISTS, INVALID_ARGUMENT */
  rename(name: string, title: string, call: Call): Promise<NamespaceChange>;
  /** The name is free at once; the data go away in the background. @throws NOT_FOUND */
  remove(name: string, call: Call): Promise<NamespaceChange>;
  /**
   * Makes the origin of this name or id decide the namespace's conditional writes.
   * @throws NOT_FOUND (namespace or origin), UNAVAILABLE if the home is not reached
   */
  moveHome(name: string, origin: string, call: Call): Promise<NamespaceChange>;
}

/** What a change did, and the session that sees it. */
export interface NamespaceChange {
  readonly namespace: NamespaceInfo;
  readonly session: Session;
  /** Level reached before the deadline; less than the cluster's own if too few origins had it by then. */
  readonly durability: Durability;
}
