import type { NodeIdentity } from '../../model/cluster.ts';
import { toMeridianError } from '../../model/errors.ts';
import type {
  CaughtUp,
  Changes,
  Echo,
  FeedEvent,
  FollowerMessage,
  FollowerReport,
  FollowOpen,
  Opening,
  Probe,
  Resync,
} from '../../model/feed.ts';
import { commonVersion } from '../../model/feed-version.ts';
import { registryNamespace } from '../../model/namespace.ts';
import type { LogId } from '../../model/position.ts';
import { holds } from '../../model/rules.ts';
import type { Bound } from '../../model/staleness.ts';
import { emptyVector, joinVectors, type VersionVector, withPosition } from '../../model/version-vector.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Moment } from '../../runtime/moment.ts';
import type { Semaphore } from '../../runtime/semaphore.ts';
import { waitUntil } from '../../runtime/wait-until.ts';
import type { Snapshot } from '../../store/store.ts';
import type { Ledger } from '../ledger.ts';
import type { LedgerState } from '../ledger-state.ts';
import { damagedRecord } from '../mending.ts';
import type { ReplicationObserver } from '../observer.ts';
import { FollowerProof } from './follower-proof.ts';
import type { FollowerView } from './follower-status.ts';
import { LostScan } from './lost-scan.ts';
import { absenceUncertain, belowFloor, voidProgress, watchAhead } from './refusals.ts';
import {
  cursorIn,
  decodeToken,
  type Place,
  placeOf,
  type ScanBounds,
  type Scanning,
  type ScanToken,
  scanLog,
  scanRecords,
} from './scan.ts';
import { scanPermit } from './scan-permit.ts';
import { type ScopeShape, shapeEntry } from './scope-shape.ts';
import type { Tracks } from './tracks.ts';

/** What a subscription needs of the node that serves it. */
export interface Serving extends ScanBounds {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly observer: ReplicationObserver;
  readonly identity: NodeIdentity;
  /** Undefined while the node belongs to no cluster: then it serves nobody. */
  readonly clusterId: () => string | undefined;
  readonly nonce: string;
  /** Milliseconds by which the wall clock may outrun the monotonic one before nothing is proven any more. */
  readonly clockSkewMsMax: number;
  /** Changes whenever the store begins anew, or a member opens a new log (rules R4, R21); a token holds for one. */
  readonly generation: () => string;
  /** The opening of a member that has opened its log. */
  readonly opening?: () => Opening | undefined;
  /** This node's own bound now; unset = unknown. */
  readonly bound: () => Bound | undefined;
  /** What this node knows of the clock by which its records expire: milliseconds since 1970; unset = nothing. */
  readonly rootWallMs: () => number | undefined;
  /** Milliseconds since this node heard of that clock. Default: 0, it is its own. */
  readonly rootAgeMs?: () => number;
  /**
   * Milliseconds for which a follower may leave one event of a scan unread, or a watch's client all events together.
   * Then the scan gives up its permit and its snapshot, and waits for a permit again to go on.
   */
  readonly scanStallMs: number;
  /** True once all that every member had at this monotonic time is here. Set at a member. */
  readonly heardFromAllSince?: (atMs: number) => boolean;
  /** Called when a follower has this on disk. Default: not called. */
  readonly acknowledged?: (follower: NodeIdentity, role: FollowOpen['role'], durable: VersionVector) => void;
  /** The changes whose travel is tracked. Default: none. */
  readonly tracks?: Tracks;
}

interface PendingEcho {
  readonly probe: Probe;
  readonly bound: Bound | undefined;
  /** The ring's end when the probe came. */
  readonly place: number;
  /** How often the store had been opened again when the probe came. */
  readonly reopenings: number;
  readonly came: Moment;
}

const echoesMax = 64;
/**
 * Milliseconds after which a scan goes on in a new snapshot: a database keeps all that an old snapshot shows, so that a
 * long scan would slow down every commit.
 */
const snapshotMsMax = 10_000;
/** Milliseconds between looks at whether all members were heard from. */
const echoLookMs = 25;

/**
 * One follower's stream, as a loop of two states:
 *
 *     scan:  note the ring's end, take a snapshot, check the cursor, send what it lacks, send caught-up
 *     live:  send the ring from the place noted; a follower that falls out of it scans again from where it was
 *
 * Nothing is buffered for a follower: its reading pulls the events. Echoes stand in the live order (rule R10).
 */
export class Subscription {
  readonly #serving: Serving;
  readonly #open: FollowOpen;
  readonly #signal: AbortSignal;
  readonly #shape: ScopeShape;
  /** Permits of scans for followers of this kind. */
  readonly #scans: Semaphore;
  readonly #echoes: PendingEcho[] = [];
  #state: FollowerView['state'] = 'waiting';
  #place = 0;
  /** What the follower covered before this stream; nothing after a resync. */
  #begun: VersionVector = emptyVector;
  /** What the follower covers by what this stream sent, folded. */
  #sent: VersionVector = emptyVector;
  #durable: VersionVector = emptyVector;
  #report: FollowerReport = {};
  readonly #proof: FollowerProof;
  /** For a watch: what it was shown and the last step did not reach. */
  #shown: VersionVector = emptyVector;
  #wake: (() => void) | undefined;
  #messagesFailed: unknown;
  #closed = false;
  readonly #openedMs: number;

  constructor(
    serving: Serving,
    open: FollowOpen,
    { shape, scans, signal }: { readonly shape: ScopeShape; readonly scans: Semaphore; readonly signal: AbortSignal },
  ) {
    this.#serving = serving;
    this.#open = open;
    this.#shape = shape;
    this.#scans = scans;
    this.#signal = signal;
    this.#openedMs = serving.clock.monotonicMs();
    this.#proof = new FollowerProof(serving.clock, serving.clockSkewMsMax);
  }

  /** Takes in the follower's probes until they end. */
  listen(messages: AsyncIterable<FollowerMessage>): void {
    const take = async () => {
      for await (const probe of messages) {
        // An ended stream may wait for its follower to read on; what the follower had on disk may be gone by now.
        if (this.#closed || this.#signal.aborted) return;
        this.#takeProbe(probe);
        this.#wake?.();
      }
    };
    take().catch((error: unknown) => {
      this.#messagesFailed = error;
      this.#wake?.();
    });
  }

  #takeProbe(probe: Probe): void {
    const { ledger, clock, observer, bound, acknowledged, tracks } = this.#serving;
    const { node, role } = this.#open;
    // An edge may go by any clock, and reports its own skew; edges are many, and come and go.
    if (role === 'peer') observer.clockSkew(node.name, clock.wallMs() - probe.wallMs);
    this.#durable = probe.durable;
    this.#report = probe;
    acknowledged?.(node, role, probe.durable);
    if (probe.echoed !== undefined) this.#proof.applied(probe.echoed);
    for (const id of probe.tracked ?? []) tracks?.arrived(id, node, role);
    if (this.#echoes.length >= echoesMax) this.#echoes.shift();
    const { ring, reopenings } = ledger;
    this.#echoes.push({ probe, bound: bound(), place: ring.end, reopenings, came: this.#proof.now() });
  }

  view(): FollowerView {
    const behind = this.#serving.ledger.ring.end - this.#place;
    const boundMs = this.#proof.boundMs();
    return {
      ...(boundMs === undefined ? {} : { boundMs }),
      report: this.#report,
      node: this.#open.node,
      role: this.#open.role,
      state: this.#state,
      durable: this.#durable,
      ...(this.#state === 'live' ? { behindCommits: behind } : {}),
    };
  }

  close(): void {
    this.#closed = true;
  }

  async *events(): AsyncGenerator<FeedEvent> {
    const { identity, nonce, clusterId, generation, opening } = this.#serving;
    const opened = opening?.();
    yield {
      kind: 'opened',
      protocol: commonVersion(this.#open),
      node: identity,
      nonce,
      clusterId: clusterId() ?? '',
      generation: generation(),
      ...(opened === undefined ? {} : { opening: opened }),
      ...this.#clocks(),
    };
    let place: Place = placeOf(this.#open.start);
    for (;;) {
      const stalledAt = yield* this.#catchUp(place);
      place = stalledAt ?? (yield* this.#live());
    }
  }

  /**
   * A node also shows what it holds and does not cover yet. If a watch resumed elsewhere from a step before that, it
   * would be told an earlier record again, so such a step is marked. Only this side knows what a step implies of sealed
   * logs.
   */
  #watched<E extends Changes | CaughtUp>(event: E): E {
    if (this.#open.role !== 'watch') return event;
    const { logs } = this.#serving.ledger.registry;
    if (event.kind === 'changes') {
      for (const { position } of event.records) this.#shown = withPosition(this.#shown, position);
    }
    const vector = event.kind === 'changes' ? event.step?.vector : event.vector;
    if (vector === undefined) return event;
    if (logs.covers(vector, this.#shown) || !holds('watches: a step behind what was shown')) {
      this.#shown = emptyVector; // Later steps reach it too.
      return event;
    }
    const behind = { behind: true as const };
    if (event.kind === 'caught-up') return { ...event, ...behind };
    return event.step === undefined ? event : { ...event, step: { ...event.step, ...behind } };
  }

  /** Ends with a caught-up event; or, if the follower stalled, with the place to go on from. */
  async *#catchUp(place: Place): AsyncGenerator<FeedEvent, Place | undefined> {
    const { ledger, clock, scanStallMs } = this.#serving;
    this.#state = 'waiting';
    yield* scanPermit(this.#scans, { clock, signal: this.#signal, tells: this.#open.role !== 'watch' });
    let release = (): void => {
      release = () => {};
      this.#scans.release();
    };
    let instant: ReturnType<Ledger['instant']> | undefined;
    let progress = place;
    try {
      await this.#knowsLogs(place);
      // If it is unknown what was lost, no scan is whole; the operator may accept that (--accept-loss).
      if (ledger.store.condition().absenceUncertain) throw absenceUncertain();
      instant = ledger.instant();
      const { snapshot, state } = instant;
      this.#state = 'scanning';
      this.#place = instant.place;
      const takenMs = clock.monotonicMs();
      // How long it may keep others waiting by reading slowly: with one event; a watch, whose client is anybody, in
      // all.
      let patienceMs = scanStallMs;
      for await (const event of this.#scan(place, snapshot, state)) {
        if (event.kind === 'resync') progress = { kind: 'resync' };
        let stalled = false;
        const timer = clock.timer(patienceMs, () => {
          stalled = true;
          release();
          void snapshot.close();
        });
        const askedMs = clock.monotonicMs();
        yield event.kind === 'changes' ? this.#watched(event) : event;
        timer.cancel();
        if (this.#open.role === 'watch') patienceMs = Math.max(0, patienceMs - (clock.monotonicMs() - askedMs));
        if (event.kind === 'changes' && event.token !== undefined) {
          const cursor = cursorIn(progress);
          progress = { kind: 'token', token: event.token, ...(cursor === undefined ? {} : { cursor }) };
        }
        const isOld = progress.kind === 'token' && clock.monotonicMs() - takenMs >= snapshotMsMax;
        if (stalled || (isOld && event.kind === 'changes' && event.token !== undefined)) return progress;
      }
    } finally {
      release();
      await instant?.snapshot.close();
    }
    // The permit is free by now, however long the follower takes to read this event.
    const { covered, floor, stable } = instant.state;
    yield this.#watched({ kind: 'caught-up', vector: covered, floor, stable });
    this.#begun = cursorIn(progress) ?? emptyVector;
    this.#sent = covered;
    this.#state = 'live';
    return undefined;
  }

  /** Waits a little until it is clear whether a watch's cursor names logs that no member knows any more. */
  async #knowsLogs(place: Place): Promise<void> {
    const { ledger, clock, heardFromAllSince, scanStallMs } = this.#serving;
    const { logs } = ledger.registry;
    const unknown = [...(cursorIn(place)?.keys() ?? [])].filter((log) => logs.get(log) === undefined);
    if (this.#open.role !== 'watch' || unknown.length === 0 || heardFromAllSince === undefined) return;
    const isClear = () => heardFromAllSince(this.#openedMs) || unknown.every((log) => logs.get(log) !== undefined);
    const onceHeard = (run: () => void) => {
      const timer = clock.timer(echoLookMs, run);
      return () => timer.cancel();
    };
    await waitUntil(isClear, onceHeard, { clock, deadlineMs: this.#openedMs + scanStallMs, signal: this.#signal });
  }

  async *#scan(place: Place, snapshot: Snapshot, state: LedgerState): AsyncGenerator<Resync | Changes> {
    const { observer, ledger } = this.#serving;
    const { logs } = ledger.registry;
    const generation = this.#serving.generation();
    const lost = new LostScan(snapshot, { upTo: logs.unfold(state.covered), taken: this.#open.takesLost === true });
    const scanning: Scanning = { snapshot, state, logs, shape: this.#shape, generation, bounds: this.#serving, lost };
    if (place.kind === 'now') {
      // What this node holds beyond what it covers was shown to those that follow already (rule R5).
      yield* scanLog(scanning, logs.unfold(state.covered));
      return;
    }
    const token = this.#tokenIn(place, state);
    const cursor = token?.cursor ?? this.#cursorIn(place, state);
    const refused = this.#refused(place, cursor, state);
    const isPeer = this.#open.role === 'peer';
    if (refused === 'void-progress' && isPeer && holds('R19 one opening fills a member')) throw voidProgress();
    if (refused !== undefined && refused !== 'void-progress' && isPeer) throw belowFloor();
    if (refused !== undefined && !isPeer) {
      observer.resyncSent(refused);
      this.#shown = emptyVector;
      this.#proof.reset();
      yield { kind: 'resync', reason: refused };
    }
    if (refused !== undefined || cursor === undefined) {
      yield* this.#counted('records', this.#everything(scanning));
    } else {
      if (token?.last !== undefined) {
        yield* this.#counted('records', scanRecords(scanning, token.cursor, { after: token.last }));
      }
      yield* this.#counted('log', scanLog(scanning, cursor));
    }
  }

  /** Why this place is sent no delta; undefined if it is sent one, or the follower holds nothing. */
  #refused(place: Place, cursor: VersionVector | undefined, state: LedgerState): Resync['reason'] | undefined {
    if (place.kind === 'resync') return 'asked';
    if (cursor !== undefined) return this.#cursorRefused(cursor, state);
    return place.kind === 'token' ? 'void-progress' : undefined;
  }

  /**
   * Why a delta from this cursor would not be whole (rules R8, R22, R23); undefined if it is whole. A member is sent
   * what it lacks even of logs that it knows beyond their seals: this is how it hears of the seals.
   */
  #cursorRefused(cursor: VersionVector, { floor, covered }: LedgerState): Resync['reason'] | undefined {
    const { logs } = this.#serving.ledger.registry;
    for (const [log, purged] of floor) {
      const heard = Math.max(cursor.get(log) ?? 0, this.#open.floor?.get(log) ?? 0);
      if (heard < purged && holds('R8 no delta from below the floor')) return 'below-floor';
    }
    if (this.#open.role === 'peer' || !holds('R23 an edge begins anew')) return undefined;
    if (logs.beyondIn(cursor) !== undefined) return 'beyond-seal';
    for (const log of cursor.keys()) if (logs.isVoid(log, covered) || this.#isLost(log)) return 'void-log';
    return undefined;
  }

  /** True for a log of a watch's cursor that was lost with its disk before another member heard of it. */
  #isLost(log: LogId): boolean {
    const { ledger, heardFromAllSince } = this.#serving;
    const isUnknown = this.#open.role === 'watch' && ledger.registry.logs.get(log) === undefined;
    return isUnknown && heardFromAllSince?.(this.#openedMs) === true;
  }

  /** The token of an earlier scan, if it is still valid: otherwise the follower goes on from what it covers. */
  #tokenIn(place: Place, state: LedgerState): ScanToken | undefined {
    const token = place.kind === 'token' ? decodeToken(place.token, this.#serving.generation()) : undefined;
    if (token === undefined || cursorIn(place) === undefined) return token;
    return this.#cursorRefused(token.cursor, state) === undefined ? token : undefined;
  }

  /**
   * A watch's cursor is folded, so it means something only if it is covered here. Otherwise the watch would be told an
   * earlier record of a key, long superseded by one that is still to come. @throws UNAVAILABLE if it is not covered
   */
  #cursorIn(place: Place, state: LedgerState): VersionVector | undefined {
    const cursor = cursorIn(place);
    if (cursor === undefined || this.#open.role !== 'watch') return cursor;
    const { logs } = this.#serving.ledger.registry;
    const unfolded = joinVectors(cursor, logs.unfold(cursor));
    if (this.#cursorRefused(unfolded, state) !== undefined) return unfolded;
    const missing = logs.missing(state.covered, cursor);
    if (missing.length > 0) throw watchAhead(missing);
    return unfolded;
  }

  /** All records; for a cache, which holds only what was asked for, the registry alone. */
  #everything(scanning: Scanning): AsyncGenerator<Changes> {
    const from = scanning.logs.unfold(scanning.state.covered);
    return scanRecords(scanning, from, this.#open.role === 'cache' ? { namespace: registryNamespace } : {});
  }

  async *#counted(kind: 'log' | 'records', scan: AsyncGenerator<Changes>): AsyncGenerator<Changes> {
    const { observer } = this.#serving;
    let records = 0;
    observer.scanStarted(kind);
    try {
      for await (const event of scan) {
        records += event.records.length;
        yield event;
      }
    } finally {
      observer.scanEnded(kind, records);
    }
  }

  /** Ends when the follower falls out of the ring; returns its cursor. */
  async *#live(): AsyncGenerator<FeedEvent, Place> {
    const { ledger, observer } = this.#serving;
    let unsent: Changes | undefined;
    for (;;) {
      this.#signal.throwIfAborted();
      if (this.#messagesFailed !== undefined) throw toMeridianError(this.#messagesFailed);
      const echo = this.#dueEcho();
      const entry = echo === undefined ? ledger.ring.at(this.#place) : undefined;
      if (unsent !== undefined && entry === undefined) {
        yield unsent;
        unsent = undefined;
      } else if (echo !== undefined) {
        this.#echoes.shift();
        yield echo;
      } else if (!ledger.ring.has(this.#place)) {
        observer.followerFellBehind();
        const sent = ledger.registry.logs.unfold(this.#sent);
        return { kind: 'cursor', cursor: joinVectors(this.#begun, sent) };
      } else if (entry === undefined) {
        await this.#more();
      } else {
        this.#place++;
        this.#sent = entry.step.vector;
        const changes = this.#watched(shapeEntry(entry, this.#shape, observer));
        const [lost] = changes.lost?.records ?? [];
        if (lost !== undefined && this.#open.takesLost !== true) throw damagedRecord(lost);
        // A step that changes nothing in this scope still moves the cursor; of a row of them only the last is sent.
        if (changes.records.length === 0 && lost === undefined) unsent = changes;
        else {
          unsent = undefined;
          yield this.#tracked(changes);
        }
      }
    }
  }

  /** The first echo, if everything before it was sent. */
  #dueEcho(): FeedEvent | undefined {
    const pending = this.#echoes[0];
    const isDue = pending !== undefined && (pending.place <= this.#place || !holds('R10 echo order'));
    if (!isDue) return undefined;
    const { probe, came, reopenings } = pending;
    // What was here when the probe came and was not synced may be gone.
    const isHere = reopenings === this.#serving.ledger.reopenings;
    const ofArrival = isHere ? pending.bound : undefined;
    const bound = holds('R10 the bound of the arrival') ? ofArrival : this.#serving.bound();
    this.#proof.echoed(probe.id, came, bound?.boundMs);
    return { kind: 'echo', id: probe.id, ...this.#clocks(), ...(bound === undefined ? {} : { bound }) };
  }

  /** The same event. If it carries tracked writes, it asks the follower to report them soon. */
  #tracked(changes: Changes): Changes {
    const { node, role } = this.#open;
    const tracks = role === 'watch' ? undefined : this.#serving.tracks?.sent(changes.records, node, role);
    return tracks === undefined || tracks.length === 0 ? changes : { ...changes, tracks };
  }

  #clocks(): Pick<Echo, 'wallMs' | 'rootWallMs' | 'rootAgeMs'> {
    const { clock, rootWallMs: root, rootAgeMs: age } = this.#serving;
    const rootWallMs = root();
    const known = rootWallMs === undefined ? {} : { rootWallMs, ...(age === undefined ? {} : { rootAgeMs: age() }) };
    return { wallMs: clock.wallMs(), ...known };
  }

  /** Waits for a commit, a probe, or the end. */
  #more(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        forget();
        this.#wake = undefined;
        this.#signal.removeEventListener('abort', done);
        resolve();
      };
      const forget = this.#serving.ledger.ring.onceChanged(done);
      this.#wake = done;
      this.#signal.addEventListener('abort', done, { once: true });
    });
  }
}
