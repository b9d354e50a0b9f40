import { mapKey } from '../../../src/model/key.ts';
import { type NamespaceId, registryNamespace } from '../../../src/model/namespace.ts';
import type { OriginId, Position } from '../../../src/model/position.ts';
import type { LiveRecord, Record } from '../../../src/model/record.ts';
import { bottomStamp, laterStamp, type Stamp } from '../../../src/model/stamp.ts';
import { coversPosition, type VersionVector } from '../../../src/model/version-vector.ts';
import type { Retirement } from '../../../src/replication/membership.ts';
import { registryKeys } from '../../../src/replication/registry.ts';
import { Truth, type Version } from './truth.ts';

/** One disk of an origin from when it was empty, or an older image was put back, until the next such moment. */
interface Life {
  readonly disk: string;
  readonly id: OriginId;
  /** What only lives that are over hold is gone. */
  over: boolean;
  /** True where the origin itself gave it up for another one, and had the time to save what only it held. */
  givenUp: boolean;
  /** The highest stamp that the disk had. */
  highest: Stamp;
}

interface Happened extends Version {
  /** Where it stands in the logs: where it was written, and where it was adopted. */
  readonly positions: Position[];
  /** When each origin's disk got it first. */
  readonly arrivals: Map<OriginId, number>;
  readonly holders: Set<Life>;
}

/**
 * The omniscient history of several origins: every write that any of their disks ever had, in the order of stamps, and
 * which disk had it when.
 */
export class History {
  readonly #versions = new Map<string, Happened[]>();
  readonly #byStamp = new Map<Stamp, Happened>();
  readonly #lives = new Map<string, Life>();
  readonly #retired = new Set<OriginId>();
  #lost = false;
  /** From these sequences on, what a position means depends on the life of the disk. */
  readonly #forks = new Map<OriginId, number>();

  /** As an answer of this origin, or one that is dated by it, is judged; of none: as everybody's. */
  view(root?: OriginId): Truth {
    return new RootedHistory(this, root);
  }

  /** A disk of this origin synced a record. True where nobody had this write before. */
  committed(disk: string, id: OriginId, record: Record, atMs: number): boolean {
    const life = this.#lifeOf(disk, id);
    life.highest = laterStamp(life.highest, record.stamp);
    const known = this.#byStamp.get(record.stamp);
    const version: Happened = known ?? { record, atMs, positions: [], arrivals: new Map(), holders: new Set() };
    const { origin, sequence } = record.position;
    if (!version.positions.some((known) => known.origin === origin && known.sequence === sequence)) {
      version.positions.push(record.position);
    }
    if (!version.arrivals.has(id)) version.arrivals.set(id, atMs);
    version.holders.add(life);
    if (known !== undefined) return false;
    this.#byStamp.set(record.stamp, version);
    const name = mapKey(record.namespace, record.key);
    const versions = this.#versions.get(name) ?? [];
    const place = versions.findLastIndex((other) => other.record.stamp < record.stamp);
    versions.splice(place + 1, 0, version);
    this.#versions.set(name, versions);
    if (record.kind === 'live' && record.namespace === registryNamespace && record.key.startsWith('retired/')) {
      this.#retires(record);
    }
    return true;
  }

  /**
   * Where it is removed by one that has not heard yet of an origin that the removed one let in, nobody waits for what
   * that one holds beyond the final sequence: it is adopted, and until then sessions cannot count on it.
   */
  #retires({ key, value }: LiveRecord): void {
    const id = key.slice('retired/'.length) as OriginId;
    this.#retired.add(id);
    const { final, adopters } = JSON.parse(Buffer.from(value).toString()) as Retirement;
    const lives = [...this.#lives.values()].filter((life) => !this.#retired.has(life.id));
    if (lives.every((life) => adopters.includes(life.id))) return;
    this.#forks.set(id, Math.min(final, this.#forks.get(id) ?? Number.POSITIVE_INFINITY));
  }

  /** A write that a later one of the same commit took the place of: whoever has that one has seen this. */
  replaced(record: Record): void {
    const versions = this.#versions.get(mapKey(record.namespace, record.key));
    const later = versions?.findIndex((version) => version.record.stamp > record.stamp) ?? -1;
    const by = versions?.[later];
    if (versions === undefined || by === undefined || this.#byStamp.has(record.stamp)) return;
    const version = { ...by, record, positions: [record.position] };
    versions.splice(later, 0, version);
    this.#byStamp.set(record.stamp, version);
  }

  /** The disk is empty, or holds an older image: `records`, the last of its own log being `sequence`. */
  put(disk: string, image?: { readonly records: Iterable<Record>; readonly sequence: number }): void {
    const before = this.#lives.get(disk);
    if (before === undefined) return;
    before.over = true;
    this.#lost = true;
    this.#lives.delete(disk);
    if (image === undefined) return;
    const life = this.#lifeOf(disk, before.id);
    const kept = new Set([...image.records].map(({ stamp }) => stamp));
    for (const version of this.#byStamp.values()) {
      if (kept.has(version.record.stamp)) version.holders.add(life);
      // What it superseded may have been there too; what came after the image is forgotten.
      else if (!this.#isBefore(version, kept)) version.arrivals.delete(before.id);
    }
    this.#forks.set(before.id, Math.min(image.sequence, this.#forks.get(before.id) ?? Number.POSITIVE_INFINITY));
  }

  /** Of the origins that this one had heard of at that moment, those that are not removed. */
  membersKnownTo(id: OriginId, atMs: number): number {
    const named = this.keys(registryNamespace).filter((key) => key.startsWith('origin/'));
    return named.filter((key) => {
      const heard = this.versions(registryNamespace, key).some(
        ({ arrivals }) => (arrivals.get(id) ?? atMs + 1) <= atMs,
      );
      return heard && !this.#retired.has(key.slice('origin/'.length) as OriginId);
    }).length;
  }

  /** The highest stamp that this origin has on this disk by now (rule R15). */
  highest(disk: string, id: OriginId): Stamp {
    return this.#lifeOf(disk, id).highest;
  }

  get wasRolledBack(): boolean {
    return this.#forks.size > 0;
  }

  /** True where no disk was lost or rolled back, and no origin removed. */
  get isWhole(): boolean {
    return this.#retired.size === 0 && !this.#lost;
  }

  isRetired(id: OriginId): boolean {
    return this.#retired.has(id);
  }

  written(stamp: Stamp): Version | undefined {
    return this.#byStamp.get(stamp);
  }

  versions(namespace: NamespaceId, key: string): readonly Happened[] {
    return this.#versions.get(mapKey(namespace, key)) ?? [];
  }

  keys(namespace: NamespaceId): string[] {
    const from = mapKey(namespace, '');
    return [...this.#versions.keys()].filter((name) => name.startsWith(from)).map((name) => name.slice(from.length));
  }

  /** The latest write of the key that the vector covers, of those that were not lost with a disk. */
  covered(namespace: NamespaceId, key: string, vector: VersionVector): Version | undefined {
    return this.versions(namespace, key).findLast(
      (version) => this.survives(version) && version.positions.some((position) => this.#means(vector, position)),
    );
  }

  /** The latest write of the key that some disk still has, or had and knows a later one for. */
  latest(namespace: NamespaceId, key: string): Version | undefined {
    return this.versions(namespace, key).findLast((version) => this.survives(version));
  }

  /** False where only disks that are gone, and origins that were removed, ever had it. */
  survives({ holders }: Pick<Happened, 'holders'>): boolean {
    for (const life of holders) if (!life.over && !this.#retired.has(life.id)) return true;
    return false;
  }

  /**
   * False also where it was written in a life of a disk that was rolled back behind it: the same sequence means another
   * write since, and sessions count in sequences. Until the origin notices, what others have of it stands in no order. Nor
   * where another one adopted it since: who saw it before that knows it by the place that means nothing any more.
   */
  isPromised(version: Happened): boolean {
    const isOfThisLife = ({ origin, sequence }: Position) => sequence <= (this.#forks.get(origin) ?? sequence);
    return this.survives(version) && version.positions.every(isOfThisLife);
  }

  /** What an origin wrote and only lives that were given up on this disk have, of each key the latest (rule R23). */
  left(disk: string): Version[] {
    const isLeft = (version: Happened) =>
      !this.survives(version) &&
      [...version.holders].some((life) => {
        const own = version.positions.some(({ origin }) => origin === life.id);
        return life.disk === disk && life.givenUp && own && !this.#buried(version.record.namespace, life);
      });
    return [...this.#versions.values()].flatMap((versions) => {
      const last = versions.at(-1);
      return last !== undefined && isLeft(last) ? [last] : [];
    });
  }

  find(stamp: Stamp): Happened | undefined {
    return this.#byStamp.get(stamp);
  }

  /** True where the disk of this origin had this write, or a later one of its key, before it wrote that. */
  knew(id: OriginId, { namespace, key, stamp }: Record, covered: VersionVector, wrote: Record): boolean {
    return this.versions(namespace, key).some(({ record, arrivals, positions }) => {
      if (record.stamp < stamp || record.stamp === wrote.stamp) return false;
      // What the same commit superseded never was on the disk.
      return arrivals.has(id) || positions.some((position) => coversPosition(covered, position));
    });
  }

  /** The disks that have this write, or a later one of its key, or had it before they were lost. */
  disksWith({ record: { namespace, key, stamp } }: Version): Set<string> {
    const disks = new Set<string>();
    for (const { record, holders } of this.versions(namespace, key)) {
      if (record.stamp < stamp) continue;
      for (const { disk } of holders) disks.add(disk);
    }
    return disks;
  }

  /** True where every disk that an origin runs over had it by then. */
  isEverywhere(namespace: NamespaceId, key: string, atMs: number): boolean {
    const lives = [...this.#lives.values()].filter(({ id }) => !this.#retired.has(id));
    return lives.every(({ id }) =>
      this.versions(namespace, key).some(({ arrivals }) => (arrivals.get(id) ?? Number.POSITIVE_INFINITY) <= atMs),
    );
  }

  /** True where one of these is a later write of its key. */
  #isBefore({ record: { namespace, key, stamp } }: Happened, kept: ReadonlySet<Stamp>): boolean {
    return this.versions(namespace, key).some(({ record }) => record.stamp > stamp && kept.has(record.stamp));
  }

  /** True where the namespace's deletion reached this disk, be it lost since: the data went with it. */
  #buried(namespace: NamespaceId, life: Life): boolean {
    const versions = this.versions(registryNamespace, registryKeys.namespace(namespace));
    return versions.some(({ record, holders }) => record.kind === 'tombstone' && holders.has(life));
  }

  #means(vector: VersionVector, position: Position): boolean {
    const fork = this.#forks.get(position.origin);
    return coversPosition(vector, position) && (fork === undefined || position.sequence <= fork);
  }

  #lifeOf(disk: string, id: OriginId): Life {
    const known = this.#lives.get(disk);
    if (known?.id === id) return known;
    if (known !== undefined) {
      known.over = true;
      known.givenUp = true;
    }
    const life: Life = { disk, id, over: false, givenUp: false, highest: bottomStamp };
    this.#lives.set(disk, life);
    return life;
  }
}

/** The history as one origin knew it at each moment; where it had more by its end than that, that is possible too. */
class RootedHistory extends Truth {
  readonly #history: History;
  readonly #root: OriginId | undefined;

  constructor(history: History, root: OriginId | undefined) {
    super();
    this.#history = history;
    this.#root = root;
  }

  override written(stamp: Stamp): Version | undefined {
    return this.#history.written(stamp);
  }

  override surviving(stamp: Stamp): Version | undefined {
    const version = this.#history.find(stamp);
    return version !== undefined && this.#history.isPromised(version) ? version : undefined;
  }

  override replaced(record: Record): void {
    this.#history.replaced(record);
  }

  override versions(namespace: NamespaceId, key: string): readonly Version[] {
    return this.#history.versions(namespace, key);
  }

  override keys(namespace: NamespaceId): string[] {
    return this.#history.keys(namespace);
  }

  override between(namespace: NamespaceId, key: string, fromMs: number, toMs: number): Array<Version | undefined> {
    const versions = this.#history.versions(namespace, key);
    const first = versions.findLastIndex((version) => this.#arrival(version) <= fromMs);
    const possible = versions.slice(Math.max(0, first)).filter(({ atMs }) => atMs <= toMs);
    return first < 0 ? [undefined, ...possible] : possible;
  }

  /** Here too what the same commit brought from a peer, and superseded: it never was on this disk. */
  override heldBefore({ namespace, key, stamp }: Record): ReadonlyArray<Version | undefined> {
    const earlier = this.#history.versions(namespace, key).filter(({ record }) => record.stamp < stamp);
    const held = earlier.findLastIndex((version) => this.#arrival(version) < Number.POSITIVE_INFINITY);
    return [earlier[held], ...earlier.slice(held + 1)];
  }

  override covered(namespace: NamespaceId, key: string, vector: VersionVector): Version | undefined {
    return this.#history.covered(namespace, key, vector);
  }

  #arrival({ atMs, arrivals }: Happened): number {
    return this.#root === undefined ? atMs : (arrivals.get(this.#root) ?? Number.POSITIVE_INFINITY);
  }
}
