import { mapKey } from '../../../src/model/key.ts';
import { type NamespaceId, registryNamespace } from '../../../src/model/namespace.ts';
import type { LogId, MemberId, Position } from '../../../src/model/position.ts';
import type { Record } from '../../../src/model/record.ts';
import { bottomStamp, laterStamp, type Stamp } from '../../../src/model/stamp.ts';
import type { VersionVector } from '../../../src/model/version-vector.ts';
import { isOfLogs, Logs } from '../../../src/replication/logs.ts';
import { memberKeys } from '../../../src/replication/members.ts';
import { registryKeys } from '../../../src/replication/registry.ts';
import { OriginClocks, type Skews } from './origin-clocks.ts';
import { type During, Truth, type Version } from './truth.ts';

/** One disk of an origin from when it was empty, or an older image was put back, until the next such moment. */
interface Life {
  readonly disk: string;
  /** The log of the opening that runs over it, or did last. */
  log: LogId | undefined;
  /** Whose image it began with, where that is known: before it is opened. */
  member: MemberId | undefined;
  /** What only lives that are over hold is gone. */
  over: boolean;
  /** True where the origin put the store aside itself, and has to bring back or keep what only that held. */
  putAside: boolean;
  /** The highest stamp that the disk had. */
  highest: Stamp;
  /** It began with an older image. */
  isPutBack: boolean;
  /** Of all openings that ran over it so far, oldest first. */
  readonly openings: LogId[];
}

interface Happened extends Version {
  /** Where it stands in the logs: where it was written, and where it was written again. */
  readonly positions: Position[];
  /** When the disk of each opening had it first. */
  readonly arrivals: Map<LogId, number>;
  readonly holders: Set<Life>;
  /** At some moment no disk had it any more, nor a later write of its key: what was promised of it is void for good. */
  lost: boolean;
}

/**
 * The omniscient history of a cluster's origins: every write that any of their disks ever had, in the order of stamps, and
 * which disk had it when.
 */
export class History {
  /** All that any disk ever said of logs. */
  readonly logs = new Logs();
  readonly clocks = new OriginClocks();
  readonly #versions = new Map<string, Happened[]>();
  readonly #byStamp = new Map<Stamp, Happened>();
  readonly #lives = new Map<string, Life>();
  /** Of disks that several processes may run over at once: an earlier opening answers for what a later one wrote. */
  readonly #shared = new Map<LogId, Life>();
  #lost = false;

  /** As an answer that is dated by this opening of an origin is judged; of none: as everybody's. */
  view(root?: LogId): Truth {
    return new RootedHistory(this, root);
  }

  /**
   * A disk synced a record, in this opening. True where nobody had this write before.
   * @param arrivedMs when the opening heard of it
   */
  committed(disk: string, log: LogId, record: Record, atMs: number, arrivedMs = atMs): boolean {
    const life = this.#lifeOf(disk);
    if (life.log !== log) this.#opened(life, log, atMs);
    life.highest = laterStamp(life.highest, record.stamp);
    const known = this.#byStamp.get(record.stamp);
    const version: Happened = known ?? {
      record,
      atMs,
      positions: [],
      arrivals: new Map(),
      holders: new Set(),
      lost: false,
    };
    const { position } = record;
    const isNew = !version.positions.some((at) => at.log === position.log && at.sequence === position.sequence);
    if (isNew) version.positions.push(position);
    if (!version.arrivals.has(log) && arrivedMs < Number.POSITIVE_INFINITY) version.arrivals.set(log, arrivedMs);
    version.holders.add(life);
    if (known !== undefined) return false;
    this.#byStamp.set(record.stamp, version);
    const name = mapKey(record.namespace, record.key);
    const versions = this.#versions.get(name) ?? [];
    const place = versions.findLastIndex((other) => other.record.stamp < record.stamp);
    versions.splice(place + 1, 0, version);
    this.#versions.set(name, versions);
    if (record.namespace !== registryNamespace || versions.at(-1) !== version) return true;
    this.logs.apply(record);
    if (record.key.startsWith('removed/')) {
      this.#markLost();
      this.#sealedWithout(record.key.slice('removed/'.length) as MemberId);
    }
    if (this.#hasForgottenSomebody(log)) this.#sealedTooEarly(record);
    return true;
  }

  /** What was committed, and its opening has heard of only now. */
  arrived(log: LogId, stamps: readonly Stamp[], atMs: number): void {
    for (const stamp of stamps) {
      const version = this.#byStamp.get(stamp);
      if (version !== undefined && !version.arrivals.has(log)) version.arrivals.set(log, atMs);
    }
  }

  /** Several processes may run over this disk: what one commits the others are to know, or to answer nothing. */
  share(disk: string): void {
    const life = this.#lifeOf(disk);
    for (const log of life.openings) this.#shared.set(log, life);
  }

  /** When this opening is to know of a write. */
  arrivalIn(root: LogId, { arrivals }: Pick<Happened, 'arrivals'>): number {
    const never = Number.POSITIVE_INFINITY;
    const own = arrivals.get(root) ?? never;
    const openings = this.#shared.get(root)?.openings ?? [];
    const later = openings.slice(openings.indexOf(root) + 1).map((log) => arrivals.get(log) ?? never);
    return Math.min(own, ...later);
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

  /** The disk is empty, or holds an older image, of this member, or some other disk's. */
  put(disk: string, image?: Iterable<Record>, member?: MemberId): void {
    this.#end(disk, false);
    // What was put aside there is gone too, or is another disk's.
    for (const { holders } of this.#byStamp.values()) {
      for (const life of holders) if (life.disk === disk) life.putAside = false;
    }
    if (image !== undefined) {
      const life = this.#lifeOf(disk);
      life.isPutBack = true;
      life.member = member;
      for (const { stamp } of image) {
        const version = this.#byStamp.get(stamp);
        version?.holders.add(life);
        life.highest = laterStamp(life.highest, stamp);
      }
    }
    this.#markLost();
  }

  /** The origin put its store aside, and begins with an empty one. */
  putAside(disk: string): void {
    this.#end(disk, true);
    this.#markLost();
  }

  /** The origin erased what it had taken from its peers and never served: whoever gave it answers for it. */
  erased(disk: string): void {
    if (this.#over(disk) !== undefined) this.#markLost();
  }

  /** Of the members that the disk of this opening had heard of at that moment, those that are not removed. */
  membersKnownTo(log: LogId, atMs: number): number {
    const named = this.keys(registryNamespace).filter((key) => key.startsWith('member/'));
    return named.filter((key) => {
      const heard = this.versions(registryNamespace, key).some(
        ({ arrivals }) => (arrivals.get(log) ?? atMs + 1) <= atMs,
      );
      return heard && this.logs.removal(key.slice('member/'.length) as MemberId) === undefined;
    }).length;
  }

  /** The highest stamp that this disk has by now (rule R15). */
  highest(disk: string): Stamp {
    return this.#lifeOf(disk).highest;
  }

  /** The log of the opening that runs over the disk, or did last. */
  logOf(disk: string): LogId | undefined {
    return this.#lives.get(disk)?.log;
  }

  /** True where no disk was lost or put back, and no origin removed. */
  get isWhole(): boolean {
    return this.logs.removals().size === 0 && !this.#lost;
  }

  isRemoved(id: MemberId): boolean {
    return this.logs.removal(id) !== undefined;
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

  /** The latest write of the key that the vector covers, of those that were never lost. */
  covered(namespace: NamespaceId, key: string, vector: VersionVector): Version | undefined {
    return this.versions(namespace, key).findLast(
      (version) =>
        this.isPromised(version) && version.positions.some((position) => this.logs.coversPosition(vector, position)),
    );
  }

  /** The latest write of the key that some disk still has, or had and knows a later one for. */
  latest(namespace: NamespaceId, key: string): Version | undefined {
    return this.versions(namespace, key).findLast((version) => this.survives(version));
  }

  /** False where only disks that are gone, of removed members, or of one that runs twice, ever had it. */
  survives({ holders }: Pick<Happened, 'holders'>): boolean {
    for (const life of holders) if (!life.over && this.#counts(life)) return true;
    return false;
  }

  isPromised(version: Happened): boolean {
    return !version.lost && this.survives(version);
  }

  /** What only stores that this origin put aside have, of each key the latest (rule R8). */
  leftAside(disk: string): Version[] {
    const isLeft = (version: Happened) =>
      !this.survives(version) &&
      [...version.holders].some((life) => {
        return life.disk === disk && life.putAside && !this.#isBuried(version.record.namespace, life);
      });
    return [...this.#versions.values()].flatMap((versions) => {
      const last = versions.at(-1);
      return last !== undefined && !isOfLogs(last.record) && isLeft(last) ? [last] : [];
    });
  }

  find(stamp: Stamp): Happened | undefined {
    return this.#byStamp.get(stamp);
  }

  /** True where the disk of this opening had this write, or a later one of its key, before it wrote that. */
  knew(log: LogId, { namespace, key, stamp }: Record, covered: VersionVector, wrote: Record): boolean {
    return this.versions(namespace, key).some(({ record, arrivals, positions }) => {
      if (record.stamp < stamp || record.stamp === wrote.stamp) return false;
      // What the same commit superseded never was on the disk.
      return arrivals.has(log) || positions.some((position) => this.logs.coversPosition(covered, position));
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

  /** True where this opening runs over a disk that was put back to before it heard of the member that wrote in the log. */
  hasForgotten(opening: LogId, log: LogId): boolean {
    const member = this.logs.get(log)?.member;
    const isPutBack = [...this.#lives.values()].some((life) => life.log === opening && life.isPutBack);
    if (!isPutBack || member === undefined) return false;
    const said = this.versions(registryNamespace, memberKeys.member(member));
    return !said.some(({ arrivals }) => arrivals.has(opening));
  }

  #hasForgottenSomebody(opening: LogId): boolean {
    const members = this.keys(registryNamespace).filter((key) => key.startsWith('member/'));
    return members.some((key) => {
      const id = key.slice('member/'.length) as MemberId;
      const [newest] = this.logs.of(id).slice(-1);
      return newest !== undefined && !this.isRemoved(id) && this.hasForgotten(opening, newest.log);
    });
  }

  /**
   * A disk that was put back to before it knew a member seals without having heard of that: what the member alone has
   * beyond the seal counts again once it has written it again.
   */
  #sealedTooEarly(record: Record): void {
    const [kind, sealed] = record.key.split('/');
    const seal = kind === 'log' ? this.logs.get(sealed as LogId)?.seal : undefined;
    if (seal === undefined) return;
    for (const version of this.#byStamp.values()) {
      if (version.positions.some(({ log, sequence }) => log === sealed && sequence > seal.final)) version.lost = true;
    }
  }

  /**
   * A removed member may run on. What it wrote beyond the seals counts as lost, also where a survivor was sent it ahead of what
   * it could report: it counts again once that one has written it again. At the end everybody has it (`latest`).
   */
  #sealedWithout(member: MemberId): void {
    for (const { log, seal } of this.logs.of(member)) {
      if (seal === undefined) continue;
      for (const version of this.#byStamp.values()) {
        const isBeyond = (at: Position) => at.log === log && at.sequence > seal.final;
        if (version.positions.every(isBeyond)) version.lost = true;
      }
    }
  }

  /**
   * False for a record that was written after its namespace was deleted, in an opening that never heard of that, its disk put back
   * to before: nobody else may know of the deletion any more, and takes the record for one of a namespace that is still to come.
   */
  heardOfEnd({ namespace, position, stamp }: Record): boolean {
    const said = this.versions(registryNamespace, registryKeys.namespace(namespace));
    return said.some(({ record, arrivals }) => {
      return record.kind === 'tombstone' && (record.stamp > stamp || arrivals.has(position.log));
    });
  }

  /** True where this disk had it by then. */
  isOn(disk: string, namespace: NamespaceId, key: string, atMs: number): boolean {
    const log = this.#lives.get(disk)?.log;
    return (
      log !== undefined && this.versions(namespace, key).some(({ arrivals }) => (arrivals.get(log) ?? atMs + 1) <= atMs)
    );
  }

  /** True where every disk that an origin runs over had it by then. */
  isEverywhere(namespace: NamespaceId, key: string, atMs: number): boolean {
    return [...this.#lives.values()].every(({ log }) => {
      return this.versions(namespace, key).some(
        ({ arrivals }) => log !== undefined && (arrivals.get(log) ?? Number.POSITIVE_INFINITY) <= atMs,
      );
    });
  }

  /** True where the namespace's deletion reached this disk, be it lost since: the data went with it. */
  #isBuried(namespace: NamespaceId, life: Life): boolean {
    const versions = this.versions(registryNamespace, registryKeys.namespace(namespace));
    return versions.some(({ record, holders }) => record.kind === 'tombstone' && holders.has(life));
  }

  /** While two disks run as one member nobody knows which of them goes on. */
  #counts(life: Life): boolean {
    const member = this.#memberOf(life);
    if (member === undefined) return true;
    const twins = [...this.#lives.values()].filter((other) => this.#memberOf(other) === member);
    return !this.isRemoved(member) && twins.length < 2;
  }

  #memberOf({ log, member }: Life): MemberId | undefined {
    return log === undefined ? member : this.logs.get(log)?.member;
  }

  #lifeOf(disk: string, putAside = false): Life {
    const known = this.#lives.get(disk);
    if (known !== undefined) return known;
    const life: Life = {
      disk,
      log: undefined,
      member: undefined,
      over: false,
      putAside,
      highest: bottomStamp,
      isPutBack: false,
      openings: [],
    };
    this.#lives.set(disk, life);
    return life;
  }

  #over(disk: string): Life | undefined {
    const life = this.#lives.get(disk);
    this.#lives.delete(disk);
    if (life !== undefined) life.over = true;
    return life;
  }

  #end(disk: string, putAside: boolean): void {
    const before = this.#over(disk);
    if (before === undefined) return;
    this.#lost = true;
    if (!putAside) return;
    // What the origin did until now it did over a store that it answers for still.
    const aside: Life = { ...before, putAside: true };
    for (const version of this.#byStamp.values()) if (version.holders.has(before)) version.holders.add(aside);
  }

  /** A write is lost once no disk has it, nor a later one of its key, nor did and covers it. */
  #markLost(): void {
    for (const versions of this.#versions.values()) {
      let isHeld = false;
      for (const version of [...versions].reverse()) {
        isHeld ||= this.survives(version);
        if (!isHeld) version.lost = true;
      }
    }
  }

  /** All that the disk has, its new opening has from the first. */
  #opened(life: Life, log: LogId, atMs: number): void {
    life.log = log;
    life.openings.push(log);
    for (const version of this.#byStamp.values()) if (version.holders.has(life)) version.arrivals.set(log, atMs);
  }
}

/** The history as one opening of an origin knew it at each moment. */
class RootedHistory extends Truth {
  readonly #history: History;
  readonly #root: LogId | undefined;

  constructor(history: History, root: LogId | undefined) {
    super();
    this.#history = history;
    this.#root = root;
  }

  override written(stamp: Stamp): Version | undefined {
    return this.#history.written(stamp);
  }

  override skews({ fromMs = 0, toMs }: During): Skews {
    return this.#history.clocks.between(fromMs, toMs);
  }

  override surviving(stamp: Stamp): Version | undefined {
    const version = this.#history.find(stamp);
    const isPromised = version !== undefined && this.#history.isPromised(version);
    return isPromised && !version.positions.some(({ log }) => this.#hasForgotten(log)) ? version : undefined;
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
    const known = [...vector].filter(([log]) => !this.#hasForgotten(log));
    return this.#history.covered(namespace, key, new Map(known));
  }

  /** What it has never heard of nobody can ask it to wait for. */
  #hasForgotten(log: LogId): boolean {
    return this.#root !== undefined && this.#history.hasForgotten(this.#root, log);
  }

  #arrival(version: Happened): number {
    return this.#root === undefined ? version.atMs : this.#history.arrivalIn(this.#root, version);
  }
}
