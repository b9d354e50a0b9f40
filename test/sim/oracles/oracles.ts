import type { FeedEvent } from '../../../src/model/feed.ts';
import { mapKey } from '../../../src/model/key.ts';
import type { WriteAnswer, WriteRequest } from '../../../src/model/key-value.ts';
import { type NamespaceId, parseNamespaceId, registryNamespace } from '../../../src/model/namespace.ts';
import type { LogId, MemberId, Position } from '../../../src/model/position.ts';
import type { Record } from '../../../src/model/record.ts';
import { type Stamp, stampParts } from '../../../src/model/stamp.ts';
import { formatVector } from '../../../src/model/version-vector.ts';
import { type LogRecord, logKeys } from '../../../src/replication/logs.ts';
import { memberKeys } from '../../../src/replication/members.ts';
import { registryKeys } from '../../../src/replication/registry.ts';
import type { DiskImage } from '../../support/memory-origin-stores.ts';
import type { Contents, MemoryDisk } from '../../support/memory-store.ts';
import type { VirtualTime } from '../../support/virtual-time.ts';
import type { Cluster } from '../nodes/cluster.ts';
import type { EdgeProcess } from '../nodes/edge-process.ts';
import { EngineOrigin } from '../nodes/engine-origin.ts';
import type { OriginProcess } from '../nodes/origin-process.ts';
import { isDead } from './answers.ts';
import { Attempts } from './attempts.ts';
import { Decisions } from './decisions.ts';
import { complaintsOfScope, coveredBy, type Held } from './disks.ts';
import { History } from './history.ts';
import { Trace } from './trace.ts';
import type { Truth } from './truth.ts';
import { complaintsOfWrite } from './writes.ts';

/** Milliseconds that a commit of a database takes, at the most. */
const databaseMsMax = 1000;

/** Whoever knows everything: listens to the disks and the feeds of a cluster, and says what breaks a promise. */
export class Oracles {
  readonly trace: Trace;
  readonly attempts = new Attempts();
  readonly history = new History();
  readonly decisions = new Decisions(this.history, this.attempts);
  readonly #cluster: Cluster;
  readonly #time: VirtualTime;
  /** Of the opening that runs over each origin's disk. */
  #hasCopied = false;
  readonly #logs = new Map<string, LogId>();

  constructor(cluster: Cluster, time: VirtualTime, detailed: boolean) {
    this.#cluster = cluster;
    this.#time = time;
    this.trace = new Trace(() => time.nowMs, detailed);
    for (const origin of cluster.origins) {
      const { name, disk, stores } = origin;
      origin.onClockStepped = (skewMs) => this.history.clocks.stepped(name, skewMs, time.nowMs);
      disk.onSynced = (records) => this.#happened(name, disk, records);
      disk.onErased = () => {
        this.trace.note(() => `${name} erases what it took and never served`);
        this.history.erased(name);
      };
      if (origin instanceof EngineOrigin) this.#watchDatabase(origin);
      stores.onPutAside = () => {
        this.trace.note(() => `${name} puts its store aside`);
        this.#logs.delete(name);
        // One that covers nothing yet has been filled in part alone, and whoever filled it was started again (rule R19).
        const isFilled = coveredBy(disk.visible).size > 0;
        if (isFilled && this.history.isWhole)
          this.trace.violated(`${name} begins anew, and no disk was ever lost or put back`);
        this.history.putAside(name);
      };
      stores.onTakenBack = ({ records }) => {
        this.trace.note(() => `${name} takes up the store again that it put aside`);
        this.#logs.delete(name);
        this.history.put(name, records.values());
      };
    }
    cluster.tamper = (event, { role }, near) => {
      this.sawEvent(event, `${near} ${role}`);
      return event;
    };
    cluster.answered = (method, [request], answer) => {
      if (method === 'write') this.acknowledged(request as WriteRequest, answer as WriteAnswer);
    };
  }

  /** A member runs twice from now on, for a while: its disk was copied. */
  copied(): void {
    this.#hasCopied = true;
  }

  get hasCopied(): boolean {
    return this.#hasCopied;
  }

  /** An origin's disk is empty, or holds an image of some disk. */
  put(name: string, image?: DiskImage, member?: MemberId): void {
    this.#logs.delete(name);
    this.history.put(name, image?.present.records.values(), member);
  }

  /** As the opening of an origin with this log knows it; where none is named, as all together. */
  truthOf(root?: LogId): Truth {
    return this.history.view(root);
  }

  /** As each origin that runs knows it. */
  truths(): Truth[] {
    return this.#cluster.origins.map(({ log }) => this.truthOf(log));
  }

  /** Every namespace that there ever was. */
  namespaces(): NamespaceId[] {
    return this.truthOf()
      .keys(registryNamespace)
      .filter((key) => key.startsWith(registryKeys.namespace('' as NamespaceId)))
      .map((key) => parseNamespaceId(key.slice('namespace/'.length)))
      .filter((id) => id !== undefined);
  }

  isDead(id: NamespaceId): boolean {
    return isDead(this.truthOf(), id, this.#time.nowMs);
  }

  /** True where it was deleted, and that was not lost with an origin that was removed. */
  isGone(id: NamespaceId): boolean {
    return this.history.latest(registryNamespace, registryKeys.namespace(id))?.record.kind === 'tombstone';
  }

  /** True where it was created and not deleted, and neither was lost with an origin that was removed. */
  lives(id: NamespaceId): boolean {
    return this.history.latest(registryNamespace, registryKeys.namespace(id))?.record.kind === 'live';
  }

  /** True while an origin runs that was removed and has not heard so. */
  hasRemovedOriginRunning(): boolean {
    return this.#cluster.origins.some(({ id }) => id !== undefined && this.history.isRemoved(id));
  }

  /**
   * True where this origin's disk was put back to before it knew of a member that serves, and that one had yet to call it: of
   * a session that names that one's log it knows nothing (docs/ARCHITECTURE.md, section 9).
   */
  forgets(responder: string, atMs: number): boolean {
    if (this.#cluster.origins.every(({ name }) => name !== responder)) return false;
    return this.#cluster.origins.some(({ id, hasServed }) => {
      if (id === undefined || !hasServed || this.history.isRemoved(id)) return false;
      return !this.history.isOn(responder, registryNamespace, memberKeys.member(id), atMs);
    });
  }

  /** True where the namespace was on every origin's disk, dead or alive, at that moment. */
  wasThere(id: NamespaceId, atMs: number): boolean {
    const key = registryKeys.namespace(id);
    return this.history.isEverywhere(registryNamespace, key, atMs);
  }

  /** A write was answered: what a later one of the same commit took the place of is part of the history too. */
  acknowledged(request: Pick<WriteRequest, 'mutations' | 'session'>, answer: WriteAnswer): void {
    const { mutations } = request;
    const { namespace, written } = answer;
    written.forEach(({ stamp, position, expiresAt }, index) => {
      const mutation = mutations[index];
      if (mutation === undefined) return;
      const place = { namespace, key: mutation.key, stamp, position };
      if (mutation.kind === 'delete') this.history.replaced({ kind: 'tombstone', ...place });
      else {
        const { value, metadata } = mutation;
        const expiry = expiresAt === undefined ? {} : { expiresAt };
        this.history.replaced({
          kind: 'live',
          ...place,
          value,
          ...expiry,
          ...(metadata === undefined ? {} : { metadata }),
        });
      }
    });
    this.#checkDurable(answer);
    const complaints = complaintsOfWrite(request, answer, this.truthOf(), this.attempts, this.#time.nowMs);
    for (const line of complaints) this.trace.violated(line);
  }

  /** A level that was reached means as many disks, of the origins that the one that took the write knew when it did. */
  #checkDurable({ namespace, written, durability }: WriteAnswer): void {
    const { history } = this;
    // Who knows that the namespace is dead keeps nothing of it.
    if (durability === 'local' || this.isDead(namespace)) return;
    for (const { stamp, position } of written) {
      const version = history.find(stamp);
      if (version === undefined) continue;
      const members = history.membersKnownTo(position.log, version.atMs);
      const needed = durability === 'all' ? members : Math.floor(members / 2) + 1;
      const disks = history.disksWith(version).size;
      if (disks < needed)
        this.trace.violated(`${durability} is said of ${stamp}, which ${disks} of ${needed} disks have`);
    }
  }

  /** Rule R1: what a feed shows is on the disk of an origin. */
  sawEvent(event: FeedEvent, part: string): void {
    this.trace.note(() => `→ ${part} ${describeEvent(event)}`);
    if (event.kind !== 'changes') return;
    for (const { key, stamp } of event.records) {
      if (this.truthOf().written(stamp) === undefined)
        this.trace.violated(`the feed shows ${part} ${key} at ${stamp}, which no disk has`);
    }
  }

  /** The covering property of an edge, by what it sees and by what it would see after a crash. */
  checkEdge(edge: EdgeProcess): void {
    for (const held of this.scopesOf(edge)) {
      for (const contents of [held.contents, held.synced]) {
        const complaints = complaintsOfScope({ ...held, contents }, this.truthOf(), this.#time.nowMs);
        const when = contents === held.contents ? 'now' : 'after a crash';
        for (const line of complaints) this.trace.violated(`${edge.name} ${when}: ${line}`);
      }
    }
  }

  scopesOf({ copyDisk, cacheDisk, plan }: EdgeProcess): Array<Held & { readonly synced: Contents }> {
    // Where the deletion was lost, whoever heard of it goes without the data until it hears that too.
    const living = this.namespaces().filter((id) => this.lives(id) && !this.isDead(id));
    const scope = { replicate: plan.replicate, namespaces: living };
    const copies = plan.replicate.length > 0;
    const caches = !plan.replicate.includes('*');
    return [
      ...(copies ? [{ ...scope, kind: 'copy' as const, contents: copyDisk.visible, synced: copyDisk.synced }] : []),
      ...(caches ? [{ ...scope, kind: 'cache' as const, contents: cacheDisk.visible, synced: cacheDisk.synced }] : []),
    ];
  }

  /** The covering property of an origin's disk, once it covers anything. */
  checkOrigin({ name, disk }: OriginProcess): void {
    const everywhere = {
      kind: 'origin' as const,
      replicate: ['*'],
      namespaces: this.namespaces().filter((id) => this.lives(id)),
    };
    const complaints = complaintsOfScope({ ...everywhere, contents: disk.synced }, this.truthOf(), this.#time.nowMs);
    for (const line of complaints) this.trace.violated(`${name}: ${line}`);
  }

  /** What an origin lacks of all that was written and that some disk kept. */
  lost({ disk }: OriginProcess): string[] {
    const lost: string[] = [];
    const truth = this.truthOf();
    for (const namespace of this.namespaces()) {
      if (!this.lives(namespace)) continue;
      for (const key of truth.keys(namespace)) {
        const latest = this.history.latest(namespace, key);
        const held = disk.visible.records.get(mapKey(namespace, key));
        if (!truth.reflects(latest, held, { fromMs: this.#time.nowMs, toMs: this.#time.nowMs }))
          lost.push(`lost ${key} ${latest?.record.stamp}, holds ${held?.stamp}`);
      }
    }
    return lost;
  }

  /** What a database committed, the process that asked for it hears of later, or never. */
  #watchDatabase(origin: EngineOrigin): void {
    const { name, disk } = origin;
    let unheard: Array<{ readonly commits: number; readonly log: LogId; readonly stamps: readonly Stamp[] }> = [];
    origin.onStolen = (line) => this.trace.violated(`${name}: ${line}`);
    disk.onSynced = (records) => {
      const log = this.#happened(name, disk, records, Number.POSITIVE_INFINITY);
      this.history.share(name);
      unheard.push({ commits: origin.commits, log, stamps: records.map(({ stamp }) => stamp) });
    };
    origin.onHeard = (commits) => {
      const heard = unheard.filter((commit) => commit.commits <= commits);
      unheard = unheard.filter((commit) => commit.commits > commits);
      for (const { log, stamps } of heard) this.history.arrived(log, stamps, this.#time.nowMs);
    };
  }

  /** Returns the log of the opening that runs over the disk. */
  #happened(name: string, disk: MemoryDisk, records: readonly Record[], arrivedMs = this.#time.nowMs): LogId {
    const { history, attempts, trace } = this;
    const opens = records.find(({ key, position: { log, sequence } }) => sequence === 1 && key === logKeys.log(log));
    // A disk that was put back hears of its earlier openings from its peers.
    const isNew = opens !== undefined && history.find(opens.stamp) === undefined;
    if (isNew && ownerOf(opens) === idOf(disk)) this.#logs.set(name, opens.position.log);
    // An origin that has yet to join writes nothing itself.
    const log = this.#logs.get(name) ?? (`joining ${name}` as LogId);
    const atMs = this.#time.nowMs;
    const view = history.view(log);
    const highest = history.highest(name);
    const fresh = records.filter((record) => history.committed(name, log, record, atMs, arrivedMs));
    // A database may be away for a while between the decision and the commit.
    const decided = arrivedMs === atMs ? {} : { decidedMs: atMs - databaseMsMax };
    const own = fresh.filter(({ position, stamp }) => position.log === log && stampParts(stamp).log === log);
    attempts.checkCommit(own, { log, truth: view, trace, nowMs: atMs, all: records, ...decided });
    for (const { key, stamp } of own) {
      if (stamp < highest) trace.violated(`${name}: ${key} was written at ${stamp}, which had ${highest} before`);
    }
    for (const line of this.decisions.complaints(own, log, coveredBy(disk.synced))) trace.violated(`${name}: ${line}`);
    for (const { key, kind, stamp, position } of records)
      trace.note(() => `${name} has ${key} ${kind} ${stamp} ${at(position)}`);
    return log;
  }
}

/** Whose log this record opens. */
function ownerOf(record: Record): string | undefined {
  if (record.kind !== 'live') return undefined;
  return (JSON.parse(Buffer.from(record.value).toString()) as LogRecord).member;
}

/** The origin that runs over this disk; undefined while it has not drawn its id. */
export function idOf({ synced }: MemoryDisk): MemberId | undefined {
  const stored = synced.meta.get('origin/identity');
  return stored === undefined ? undefined : (JSON.parse(Buffer.from(stored).toString()) as { id: MemberId }).id;
}

function at({ log, sequence }: Position): string {
  return `(${log.slice(0, 3)} ${sequence})`;
}

/** For people. */
export function describeEvent(event: FeedEvent): string {
  switch (event.kind) {
    case 'changes': {
      const records = event.records.map(({ kind, key, position }) => `${kind} ${key} ${at(position)}`).join(', ');
      return `changes ${records}${event.step === undefined ? '' : ` | covers ${formatVector(event.step.vector)}`}`;
    }
    case 'caught-up':
      return `caught up, covers ${formatVector(event.vector)}, floor ${formatVector(event.floor)}`;
    case 'resync':
      return `resync ${event.reason}`;
    case 'opened':
      return `opened by ${event.node.name}`;
    case 'echo':
      return `echo ${event.id}`;
  }
}
