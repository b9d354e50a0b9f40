import { type NamespaceId, registryNamespace } from '../model/namespace.ts';
import { type LogId, type MemberId, type Position, parseMemberId } from '../model/position.ts';
import type { Record } from '../model/record.ts';
import { stampParts } from '../model/stamp.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { Logs } from './logs.ts';

/** The registry's keys that speak of members and homes. */
export const memberKeys = {
  member: (id: MemberId) => `member/${id}`,
  /** The member that decides conditional writes of a namespace, once it is no longer the creator. */
  home: (id: NamespaceId) => `home/${id}`,
} as const;

/** Which member admitted this one, and what this one must cover before it counts (rule R19). */
export interface Admission {
  readonly by: MemberId;
  /** The position of the record that admitted it. */
  readonly at: Position;
  /** What `by` covered then. */
  readonly covered: ReadonlyArray<readonly [LogId, number]>;
  /** The members registered then, as far as `by` knew: a majority of them must serve it first. */
  readonly among: readonly MemberId[];
}

/** A member as its registry record tells. */
export interface RegisteredMember {
  readonly id: MemberId;
  readonly name: string;
  readonly region: string;
  readonly location?: readonly [number, number];
  /** Where the other origins reach it; unset = they must be given its address (--peer). */
  readonly address?: string;
  /** Unset for the founder. */
  readonly admitted?: Admission;
}

/** The record that names where a namespace's conditional writes are decided. */
export interface HomeMove {
  readonly home: MemberId;
  readonly at: Position;
  /** The record lay beyond the end of its log, so that others may have gone on without it (rule R23). */
  readonly isWrittenAgain: boolean;
}

/** The members of the cluster and the homes, kept up from the registry's records. Removals are kept in the logs. */
export class Members {
  readonly #logs: Logs;
  readonly #members = new Map<MemberId, RegisteredMember>();
  /** The positions of the members' records. */
  readonly #places = new Map<MemberId, Position>();
  readonly #homes = new Map<NamespaceId, HomeMove>();

  constructor(logs: Logs) {
    this.#logs = logs;
  }

  /** Takes in a record of the registry, as the store now has it. */
  apply(record: Record): void {
    const [kind, name = ''] = record.key.split('/');
    if (record.kind !== 'live' || (kind !== 'home' && kind !== 'member')) return;
    const value: unknown = JSON.parse(Buffer.from(record.value).toString());
    if (kind === 'home') {
      const { position: at, stamp } = record;
      const isWrittenAgain = stampParts(stamp).log !== at.log;
      this.#homes.set(name as NamespaceId, { home: (value as { home: MemberId }).home, at, isWrittenAgain });
    }
    const id = parseMemberId(name);
    if (kind !== 'member' || id === undefined) return;
    this.#members.set(id, value as RegisteredMember);
    this.#places.set(id, record.position);
  }

  clear(): void {
    this.#members.clear();
    this.#places.clear();
    this.#homes.clear();
  }

  /** Undefined also for a removed member. */
  member(id: MemberId): RegisteredMember | undefined {
    return this.isRemoved(id) ? undefined : this.#members.get(id);
  }

  /** The operator's label of any member that was ever heard of, or its id. */
  nameOf(id: MemberId): string {
    return this.#members.get(id)?.name ?? this.#logs.removal(id)?.name ?? id;
  }

  isRemoved(id: MemberId): boolean {
    return this.#logs.removal(id) !== undefined;
  }

  /** All that are admitted and not removed, also those that are still catching up. */
  registered(): readonly RegisteredMember[] {
    return [...this.#members.values()].filter(({ id }) => !this.isRemoved(id));
  }

  /** True if a member with this covered vector has heard of all members that are registered here. */
  areKnownTo(covered: VersionVector): boolean {
    const places = this.registered().map(({ id }) => this.#places.get(id));
    return places.every((at) => at !== undefined && this.#logs.coversPosition(covered, at));
  }

  /**
   * All members whose coverage counts before anything is purged (rule R19), including those that only the survivors of
   * a removal knew: the record of the removal names them.
   */
  counted(): ReadonlySet<MemberId> {
    const heardOf = [...this.#logs.removals().values()].flatMap(({ members }) => members);
    return new Set([...this.#members.keys(), ...heardOf].filter((id) => !this.isRemoved(id)));
  }

  /** Those that have caught up and serve: they have opened a log. */
  serving(): readonly RegisteredMember[] {
    return this.registered().filter(({ id }) => this.#logs.newest(id) !== undefined);
  }

  /** The member that decides conditional writes of a namespace whose creator was `first`. */
  home(namespace: NamespaceId, first: MemberId): MemberId {
    return this.#successorOf(this.#homes.get(namespace)?.home ?? first);
  }

  /** The last move of the home; undefined while the home is still the member that created the namespace. */
  moveOf(namespace: NamespaceId): HomeMove | undefined {
    return this.#homes.get(namespace);
  }

  /**
   * True if this node may decide as the home: it covers the record that made it the home, and the removals that passed
   * the home on. The remover of a member covers all that the survivors have of it.
   */
  mayDecide(namespace: NamespaceId, first: MemberId, covered: VersionVector): boolean {
    const moved = this.#homes.get(namespace);
    if (moved !== undefined && !this.#logs.coversPosition(covered, moved.at)) return false;
    let home = moved?.home ?? first;
    for (let hops = 0; hops <= this.#members.size; hops++) {
      const removal = this.#logs.removal(home);
      const at = this.#logs.removalAt(home);
      if (removal === undefined || at === undefined) return true;
      if (!this.#logs.coversPosition(covered, at)) return false;
      home = removal.successor;
    }
    return false;
  }

  /** The home of the registry itself, at which titles are decided; undefined before it is known. */
  registryHome(): MemberId | undefined {
    const moved = this.#homes.get(registryNamespace);
    return moved === undefined ? undefined : this.#successorOf(moved.home);
  }

  #successorOf(home: MemberId): MemberId {
    let successor = home;
    for (let hops = 0; hops <= this.#members.size; hops++) {
      const removal = this.#logs.removal(successor);
      if (removal === undefined) return successor;
      successor = removal.successor;
    }
    return successor; // Two members removed each other while they were parted: nobody is the home.
  }
}
