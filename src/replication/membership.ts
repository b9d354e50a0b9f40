import type { Epoch } from '../model/epoch.ts';
import { MeridianError } from '../model/errors.ts';
import { type NamespaceId, registryNamespace } from '../model/namespace.ts';
import { type OriginId, type Position, parseOriginId } from '../model/position.ts';
import type { Record } from '../model/record.ts';
import { covers, coversPosition, type VersionVector, withPosition } from '../model/version-vector.ts';

/** The registry's keys that speak of origins and homes. */
export const membershipKeys = {
  origin: (id: OriginId) => `origin/${id}`,
  /** Where conditional writes of a namespace are decided, once that has moved from the origin that created it. */
  home: (id: NamespaceId) => `home/${id}`,
  retired: (id: OriginId) => `retired/${id}`,
  /** Ends the adoption, by one origin, of what it held of a retired one beyond the final sequence. */
  adopted: (retired: OriginId, by: OriginId) => `adopted/${retired}/${by}`,
} as const;

/** By whom an origin was let in, and what it must cover before it counts (rule R19). */
export interface Admission {
  readonly by: OriginId;
  /** Of the record that admitted it, in the log of `by`. */
  readonly sequence: number;
  /** What `by` covered then. */
  readonly covered: ReadonlyArray<readonly [OriginId, number]>;
  /** Those that were registered then, as far as `by` knew: a majority of them must serve it first. */
  readonly among: readonly OriginId[];
}

/** An origin as its registry record tells. */
export interface RegisteredOrigin {
  readonly id: OriginId;
  readonly name: string;
  readonly region: string;
  readonly location?: readonly [number, number];
  /** Where the other origins reach it; unset = they must be told. */
  readonly address?: string;
  /** Unset for the founder. */
  readonly admitted?: Admission;
  /** Empty until it has caught up for the first time and counts. */
  readonly epochs: ReadonlyArray<{ readonly epoch: Epoch; readonly first: number }>;
}

/** An origin that is gone for good (rule R22). */
export interface Retirement {
  readonly id: OriginId;
  readonly name: string;
  /** What of it everybody keeps, as it was; what is beyond is adopted by who holds it. */
  readonly final: number;
  /** Takes over every home that it had. */
  readonly heir: OriginId;
  /** The origins that publish an end of adoption. */
  readonly adopters: readonly OriginId[];
  /** Those of them that reported more than is kept: the heir decides nothing before it covers what they adopt. */
  readonly awaited?: readonly OriginId[];
}

/** Who belongs to the cluster, who has left it, and who decides: kept up from the registry's records. */
export class Membership {
  readonly #origins = new Map<OriginId, RegisteredOrigin>();
  readonly #retired = new Map<OriginId, Retirement>();
  readonly #homes = new Map<NamespaceId, { readonly home: OriginId; readonly position: Position }>();
  readonly #ends = new Map<OriginId, Map<OriginId, number>>();
  #counted: ReadonlySet<OriginId> | undefined;

  /** Takes in a record that won its merge. */
  apply(record: Record): void {
    const [kind, name = '', by = ''] = record.key.split('/');
    if (record.kind !== 'live') return;
    const origin = parseOriginId(name);
    const value = JSON.parse(Buffer.from(record.value).toString()) as unknown;
    if (kind === 'home') {
      this.#homes.set(name as NamespaceId, { home: (value as { home: OriginId }).home, position: record.position });
    }
    if (origin === undefined) return;
    this.#counted = undefined;
    if (kind === 'origin') this.#origins.set(origin, value as RegisteredOrigin);
    if (kind === 'retired') this.#retired.set(origin, value as Retirement);
    if (kind === 'adopted') {
      const ends = this.#ends.get(origin) ?? new Map<OriginId, number>();
      this.#ends.set(origin, ends.set(by as OriginId, (value as { end: number }).end));
    }
  }

  clear(): void {
    for (const map of [this.#origins, this.#retired, this.#homes, this.#ends]) map.clear();
    this.#counted = undefined;
  }

  origin(id: OriginId): RegisteredOrigin | undefined {
    return this.#retired.has(id) ? undefined : this.#origins.get(id);
  }

  /** All that are admitted and not retired, also those that are still catching up. */
  registered(): readonly RegisteredOrigin[] {
    return [...this.#origins.values()].filter(({ id }) => !this.#retired.has(id));
  }

  /**
   * All whose coverage counts before anything is purged (rule R19): also those of which only the survivors of a removal
   * knew, which are heard of with that.
   */
  counted(): ReadonlySet<OriginId> {
    this.#counted ??= this.#all();
    return this.#counted;
  }

  #all(): ReadonlySet<OriginId> {
    const heardOf = [...this.#retired.values()].flatMap(({ adopters }) => adopters);
    return new Set([...this.#origins.keys(), ...heardOf].filter((id) => !this.#retired.has(id)));
  }

  /** Those that count in a majority. */
  members(): readonly RegisteredOrigin[] {
    return this.registered().filter(({ epochs }) => epochs.length > 0);
  }

  retirement(id: OriginId): Retirement | undefined {
    return this.#retired.get(id);
  }

  retirements(): readonly Retirement[] {
    return [...this.#retired.values()];
  }

  /** The final sequence of each retired origin. */
  get finals(): VersionVector {
    return new Map([...this.#retired.values()].map(({ id, final }) => [id, final]));
  }

  /** The sequence at which an origin's adoption of what a retired one left ended; undefined = not heard yet. */
  adoptionEnd(retired: OriginId, by: OriginId): number | undefined {
    return this.#ends.get(retired)?.get(by);
  }

  /** True for a place in a retired origin's log that nobody keeps as it was (rule R23). */
  isBeyondFinal({ origin, sequence }: Position): boolean {
    const left = this.#retired.get(origin);
    return left !== undefined && sequence > left.final;
  }

  /** The vector with each retired origin's component at most its final sequence. */
  withinFinal(vector: VersionVector): VersionVector {
    let within: Map<OriginId, number> | undefined;
    for (const { id, final } of this.#retired.values()) {
      if ((vector.get(id) ?? 0) <= final) continue;
      within ??= new Map(vector);
      within.set(id, final);
    }
    return within ?? vector;
  }

  /**
   * What must be covered to meet a session (rule R23): beyond a final sequence, the ends of adoption stand in. Undefined
   * while an end is not heard of yet.
   */
  requiredBy(session: VersionVector): VersionVector | undefined {
    let required = this.withinFinal(session);
    if (required === session) return session;
    const left = new Set([...this.#retired.values()].filter(({ id, final }) => (session.get(id) ?? 0) > final));
    for (const { id, adopters } of left) {
      for (const adopter of adopters) {
        const end = this.#ends.get(id)?.get(adopter);
        const removed = this.#retired.get(adopter);
        if (end !== undefined) required = withPosition(required, { origin: adopter, sequence: end });
        // An adopter that was itself removed before it published has left what it held to those that removed it.
        else if (removed === undefined) return undefined;
        // What it had published, and nobody covers, was adopted in its turn.
        if (end !== undefined && removed !== undefined && end > removed.final) left.add(removed);
      }
    }
    return this.withinFinal(required);
  }

  /**
   * Refuses what comes from a node that has not heard of a retirement: it still counts beyond the final sequence.
   * @throws UNAVAILABLE
   */
  checkHeard(vector: VersionVector): void {
    if (this.withinFinal(vector) !== vector) throw unheard();
  }

  /** The same for one record. @throws UNAVAILABLE */
  checkHeardOf(position: Position): void {
    if (this.isBeyondFinal(position)) throw unheard();
  }

  /** The origin that decides conditional writes of a namespace whose creator was `first`. */
  home(namespace: NamespaceId, first: OriginId): OriginId {
    return this.#heirOf(this.#homes.get(namespace)?.home ?? first);
  }

  /** True where this node may decide as the home: it covers the record that made it that, and what its forerunner left. */
  mayDecide(namespace: NamespaceId, first: OriginId, covered: VersionVector): boolean {
    const moved = this.#homes.get(namespace);
    if (moved !== undefined && !coversPosition(covered, moved.position)) return false;
    let home = moved?.home ?? first;
    for (let left = this.#retired.get(home); left !== undefined; left = this.#retired.get(home)) {
      if ((covered.get(home) ?? 0) < left.final || !this.#hasTakenOver(left, covered)) return false;
      home = left.heir;
    }
    return true;
  }

  /** The home of the registry itself, at which titles are decided; undefined before it is known. */
  registryHome(): OriginId | undefined {
    const moved = this.#homes.get(registryNamespace);
    return moved === undefined ? undefined : this.#heirOf(moved.home);
  }

  /** True where what the retired origin decided in a life that was lost is known here, as far as anybody reported it. */
  #hasTakenOver({ id, awaited = [] }: Retirement, covered: VersionVector): boolean {
    return awaited.every((origin) => {
      const sequence = this.#ends.get(id)?.get(origin);
      if (sequence === undefined) return this.#retired.has(origin);
      const required = this.requiredBy(new Map([[origin, sequence]]));
      return required !== undefined && covers(covered, required);
    });
  }

  #heirOf(home: OriginId): OriginId {
    const heir = this.#retired.get(home)?.heir;
    return heir === undefined || heir === home ? home : this.#heirOf(heir);
  }
}

function unheard(): MeridianError {
  return new MeridianError('UNAVAILABLE', 'the upstream has not heard yet that an origin was removed', {
    reason: 'retirement-unheard',
    retryAfterMs: 200,
  });
}
