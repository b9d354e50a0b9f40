import { MeridianError } from '../model/errors.ts';
import {
  type NamespaceId,
  type NamespaceInfo,
  namespaceIdIn,
  namespaceKey,
  parseNamespaceId,
  registryNamespace,
} from '../model/namespace.ts';
import type { MemberId } from '../model/position.ts';
import { isReadable, type Record } from '../model/record.ts';
import type { Stamp } from '../model/stamp.ts';
import type { VersionVector } from '../model/version-vector.ts';
import { Logs } from './logs.ts';
import { Members } from './members.ts';
import { RegistryTokens } from './tokens.ts';

/** The registry's keys: a record of its own for each, so that they replicate like data. */
export const registryKeys = {
  title: (title: string) => `title/${title}`,
  namespace: namespaceKey,
} as const;

/**
 * The registry in memory, kept up by every commit. A deleted namespace stays deleted, whatever comes (rule R18).
 */
export class Registry {
  readonly logs = new Logs();
  readonly members = new Members(this.logs);
  readonly tokens = new RegistryTokens();
  readonly #checkSound: () => void;
  readonly #records = new Map<string, Record>();
  /** Nearly always one. Of several, the least id has the title, in whatever order they came. */
  readonly #byTitle = new Map<string, ReadonlySet<NamespaceId>>();
  /** The namespaces that the titles' own records name. */
  readonly #claims = new Map<string, NamespaceId>();
  readonly #byId = new Map<NamespaceId, NamespaceInfo>();
  /** The number of each dead namespace's burial. */
  readonly #dead = new Map<NamespaceId, number>();
  #burials = 0;
  /** The last answer of `namespaces`; undefined after a change. */
  #listed: readonly NamespaceInfo[] | undefined;
  /** The last answer of `idOf`: nearly always what the next hit asks. Undefined after a change. */
  #found: { readonly name: string; readonly id: NamespaceId | 'deleted' | undefined } | undefined;
  readonly #changed = new Set<() => void>();

  /** @param checkSound throws if the store may have what this registry was not told yet. Default: it never throws */
  constructor(checkSound: () => void = () => {}) {
    this.#checkSound = checkSound;
  }

  /**
   * Takes in one record of the registry, as the store now has it; other records are ignored. A record that is older
   * than the known one means that the later one is void, even a deletion: a resync replaced it (rule R7).
   */
  apply(record: Record): void {
    if (record.namespace !== registryNamespace) return;
    this.#changes();
    const known = this.#records.get(record.key);
    this.#records.set(record.key, record);
    if (namespaceIdIn(record.key) !== undefined) this.#applyNamespace(record, known);
    else if (record.key.startsWith('title/')) this.#claim(record.key, record);
    else if (!this.logs.apply(record) && !this.tokens.apply(record)) this.members.apply(record);
    for (const run of [...this.#changed]) run();
  }

  /**
   * Forgets a record that was purged, or that a resync did not show. A live namespace that is forgotten was deleted
   * while this node was away, so it is dead. Dead namespaces stay known until a restart.
   */
  forget(key: string): void {
    this.#changes();
    const record = this.#records.get(key);
    this.#records.delete(key);
    if (record?.kind === 'live') this.#bury(key);
    if (key.startsWith('title/')) this.#claim(key, undefined);
    this.tokens.forget(key);
    for (const run of [...this.#changed]) run();
  }

  /** Forgets everything, for a resync of a cache, say. */
  clear(): void {
    this.#changes();
    for (const map of [this.#records, this.#byTitle, this.#claims, this.#byId, this.#dead]) map.clear();
    this.logs.clear();
    this.members.clear();
    this.tokens.clear();
  }

  #changes(): void {
    this.#listed = undefined;
    this.#found = undefined;
  }

  /** Calls `run` after each change, until the signal is aborted. */
  onChange(run: () => void, signal: AbortSignal): void {
    this.#changed.add(run);
    signal.addEventListener('abort', () => this.#changed.delete(run), { once: true });
  }

  /** By title or id. */
  resolve(name: string): NamespaceInfo | 'deleted' | undefined {
    const id = this.idOf(name);
    if (id === 'deleted') return 'deleted';
    if (id === undefined) return undefined;
    const found = this.#byId.get(id);
    return found && this.#asOfNow(found);
  }

  /** As `resolve`, for callers that need only the id. */
  idOf(name: string): NamespaceId | 'deleted' | undefined {
    if (this.#found?.name === name) return this.#found.id;
    const id = this.#lookUp(name);
    this.#found = { name, id };
    return id;
  }

  #lookUp(name: string): NamespaceId | 'deleted' | undefined {
    const id = this.#claimant(name) ?? this.#titled(name) ?? parseNamespaceId(name);
    if (id === undefined || this.#byId.has(id)) return id;
    return this.#dead.has(id) ? 'deleted' : undefined;
  }

  /**
   * The stamp of a title's own record if no namespace has the title any more: the namespace that it names is dead, was
   * renamed, or was purged. Such a record is left over where another change of that namespace won over half of the
   * change that wrote it.
   */
  staleClaim(title: string, covered: VersionVector): Stamp | undefined {
    const record = this.#records.get(registryKeys.title(title));
    const id = this.#claims.get(title);
    if (record === undefined || id === undefined || this.#byTitle.has(title)) return undefined;
    // The namespace's own record was written with it, and may still be on its way.
    const isKnown = this.#byId.has(id) || this.#dead.has(id);
    return isKnown || this.logs.coversPosition(covered, record.position) ? record.stamp : undefined;
  }

  /** The stamp of what is known of a namespace now. A decision by it counts only if the commit finds the same stamp. */
  stampOf(id: NamespaceId): Stamp | undefined {
    return this.#records.get(registryKeys.namespace(id))?.stamp;
  }

  /** @throws NOT_FOUND; UNAVAILABLE (`store-failed`) if the namespace is not known here and the store may have it */
  require(name: string): NamespaceInfo {
    const found = this.resolve(name);
    if (found === undefined) this.#checkSound();
    if (found === undefined || found === 'deleted') {
      throw unknownNamespace(name);
    }
    return found;
  }

  isDead(id: NamespaceId): boolean {
    return this.#dead.has(id);
  }

  lives(id: NamespaceId): boolean {
    return this.#byId.has(id);
  }

  dead(): readonly NamespaceId[] {
    return [...this.#dead.keys()];
  }

  /** A new number if the namespace lived in between, as its deletion had been lost; undefined while it is not dead. */
  burial(id: NamespaceId): number | undefined {
    return this.#dead.get(id);
  }

  /** All living namespaces, by title. */
  namespaces(): readonly NamespaceInfo[] {
    if (this.#listed !== undefined) return this.#listed;
    const all = [...this.#byId.values()].map((namespace) => this.#asOfNow(namespace));
    this.#listed = all.sort((a, b) => Buffer.compare(Buffer.from(a.title), Buffer.from(b.title)));
    return this.#listed;
  }

  /** True if the namespace's home may decide once it covers this (see `Members.mayDecide`). */
  mayDecide(id: NamespaceId, covered: VersionVector): boolean {
    const first = this.#byId.get(id)?.home;
    return first !== undefined && this.members.mayDecide(id, first, covered);
  }

  /**
   * The namespace as it is now: the stored record names only the first home. And a title means one namespace: where
   * half of a deletion or renaming was lost with a disk, two namespaces may have one title. Then the title's own record
   * decides, and the other namespace goes by its id.
   */
  #asOfNow(namespace: NamespaceInfo): NamespaceInfo {
    const home = this.members.home(namespace.id, namespace.home);
    const title = (this.#claimant(namespace.title) ?? namespace.id) === namespace.id ? namespace.title : namespace.id;
    return home === namespace.home && title === namespace.title ? namespace : { ...namespace, home, title };
  }

  /** The living namespace that has this title and that the title's record names. */
  #claimant(title: string): NamespaceId | undefined {
    const id = this.#claims.get(title);
    return id !== undefined && this.#byId.get(id)?.title === title ? id : undefined;
  }

  #claim(key: string, record: Record | undefined): void {
    const title = key.slice('title/'.length);
    const { id } = record?.kind === 'live' ? (jsonOf(record) as { id: NamespaceId }) : { id: undefined };
    if (id === undefined) this.#claims.delete(title);
    else this.#claims.set(title, id);
  }

  #applyNamespace(record: Record, known: Record | undefined): void {
    const id = namespaceIdIn(record.key);
    if (id === undefined) return;
    if (known !== undefined && record.stamp < known.stamp) this.#dead.delete(id);
    if (!isReadable(record, 0) || this.#dead.has(id)) {
      this.#bury(record.key);
      return;
    }
    this.#untitle(id);
    const { title, home } = jsonOf(record) as { title: string; home: MemberId };
    this.#byId.set(id, { id, title, home });
    this.#byTitle.set(title, new Set([...(this.#byTitle.get(title) ?? []), id]));
  }

  #bury(key: string): void {
    const id = namespaceIdIn(key);
    if (id === undefined) return;
    this.#untitle(id);
    this.#byId.delete(id);
    if (!this.#dead.has(id)) this.#dead.set(id, ++this.#burials);
  }

  #untitle(id: NamespaceId): void {
    const before = this.#byId.get(id);
    if (before === undefined) return;
    const others = [...(this.#byTitle.get(before.title) ?? [])].filter((other) => other !== id);
    if (others.length === 0) this.#byTitle.delete(before.title);
    else this.#byTitle.set(before.title, new Set(others));
  }

  #titled(title: string): NamespaceId | undefined {
    const [first, ...others] = this.#byTitle.get(title) ?? [];
    return others.reduce((least, id) => (least === undefined || id < least ? id : least), first);
  }
}

export function unknownNamespace(name: string): MeridianError {
  return new MeridianError('NOT_FOUND', `unknown namespace: ${name}`, { reason: 'unknown-namespace' });
}

export function jsonOf(record: Record): unknown {
  return record.kind === 'live' ? JSON.parse(Buffer.from(record.value).toString()) : undefined;
}
