import { toMeridianError } from '../model/errors.ts';
import type { Changes, FeedEvent, FollowerMessage, FollowOpen, Probe, Resync } from '../model/feed.ts';
import { registryNamespace } from '../model/namespace.ts';
import type { Bound } from '../model/staleness.ts';
import { emptyVector, meetVectors, type VersionVector } from '../model/version-vector.ts';
import type { Snapshot } from '../store/store.ts';
import { checkCoversWatch, cursorRefused, isOfAnotherLife, type Judging } from './check-cursor.ts';
import type { FeedServer, FollowerView } from './feed-server.ts';
import { cursorIn, type Place, placeOf } from './follower-place.ts';
import type { Ledger } from './ledger.ts';
import type { LedgerState } from './ledger-state.ts';
import { shapeEntry } from './part-shape.ts';
import { type Scanning, scanLog, scanRecords } from './scan.ts';
import { decodeToken, type ScanToken, startOf } from './scan-token.ts';

interface PendingEcho {
  readonly probe: Probe;
  readonly bound: Bound | undefined;
  /** The ring's end when the probe came. */
  readonly place: number;
}

const echoesMax = 64;

/**
 * One follower's stream, as a loop of two states:
 *
 *     scan:  note the ring's end, take a snapshot, check the cursor, send what it lacks, send caught-up
 *     live:  send the ring from the place noted; whoever falls out of the ring scans again from where it was
 *
 * Nothing is buffered for a follower: its reading pulls the events. Echoes stand in the live order (rule R10).
 */
export class Subscription {
  readonly #server: FeedServer;
  readonly #open: FollowOpen;
  readonly #signal: AbortSignal;
  readonly #part: ReturnType<FeedServer['shapes']['use']>;
  readonly #echoes: PendingEcho[] = [];
  #state: FollowerView['state'] = 'waiting';
  #place = 0;
  /** What the follower covers by what this stream sent. */
  #sent: VersionVector = emptyVector;
  #durable: VersionVector = emptyVector;
  #wake: (() => void) | undefined;
  #messagesFailed: unknown;
  #closed = false;

  constructor(server: FeedServer, open: FollowOpen, signal: AbortSignal) {
    this.#server = server;
    this.#open = open;
    this.#signal = signal;
    this.#part = server.shapes.use(open);
  }

  /** Takes in the follower's probes until they end. */
  listen(messages: AsyncIterable<FollowerMessage>): void {
    const take = async () => {
      for await (const probe of messages) {
        if (this.#closed) return;
        const { ledger, clock, observer, bound } = this.#server.options;
        observer.clockSkew(this.#open.node.name, probe.wallMs - clock.wallMs());
        this.#durable = probe.durable;
        // Of what this stream has yet to send the follower has another life, or somebody else's word.
        const acknowledged = meetVectors(probe.durable, this.#sent);
        this.#server.options.acknowledged?.(this.#open.node, this.#open.role, acknowledged, probe.durable);
        if (this.#echoes.length >= echoesMax) this.#echoes.shift();
        this.#echoes.push({ probe, bound: bound(), place: ledger.ring.end });
        this.#wake?.();
      }
    };
    take().catch((error: unknown) => {
      this.#messagesFailed = error;
      this.#wake?.();
    });
  }

  view(): FollowerView {
    const behind = this.#server.options.ledger.ring.end - this.#place;
    return {
      node: this.#open.node,
      role: this.#open.role,
      state: this.#state,
      durable: this.#durable,
      ...(this.#state === 'live' ? { behindCommits: behind } : {}),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#part.release();
  }

  async *events(): AsyncGenerator<FeedEvent> {
    const { identity, nonce, clusterId, generation, clock } = this.#server.options;
    const known = { clusterId: clusterId() ?? '', generation: generation() };
    yield { kind: 'opened', node: identity, nonce, ...known, wallMs: clock.wallMs() };
    let place: Place = placeOf(this.#open.start);
    for (;;) {
      const stalledAt = yield* this.#catchUp(place);
      place = stalledAt ?? (yield* this.#live());
    }
  }

  /** Ends with a caught-up; or, where the follower stalled, with the place to go on from. */
  async *#catchUp(place: Place): AsyncGenerator<FeedEvent, Place | undefined> {
    const { ledger, clock, scanStallMs } = this.#server.options;
    this.#state = 'waiting';
    const scans = this.#server.scansOf(this.#open.role);
    await scans.acquire(this.#signal);
    let release = (): void => {
      release = () => {};
      scans.release();
    };
    let instant: ReturnType<Ledger['instant']> | undefined;
    try {
      instant = ledger.instant();
      const { snapshot, state } = instant;
      this.#state = 'scanning';
      this.#place = instant.place;
      let progress = place;
      let shows = false;
      // For how long it may keep others waiting by reading slowly: with one event or, as a watch's client is anybody, in all.
      let patienceMs = scanStallMs;
      for await (const event of this.#scan(place, snapshot, state)) {
        if (event.kind === 'resync') progress = { kind: 'token', token: 'none' };
        let stalled = false;
        const timer = clock.timer(patienceMs, () => {
          stalled = true;
          release();
          void snapshot.close();
        });
        const askedMs = clock.monotonicMs();
        yield event.kind === 'changes' && !shows ? { ...event, epochs: state.epochs } : event;
        shows ||= event.kind === 'changes';
        timer.cancel();
        if (this.#open.role === 'watch') patienceMs = Math.max(0, patienceMs - (clock.monotonicMs() - askedMs));
        if (event.kind === 'changes' && event.token !== undefined) {
          const cursor = cursorIn(place);
          progress = { kind: 'token', token: event.token, ...(cursor === undefined ? {} : { cursor }) };
        }
        if (stalled) return progress;
      }
    } finally {
      release();
      await instant?.snapshot.close();
    }
    // However long this one takes to be read, nobody waits for the place.
    const { covered, floor, settled, epochs } = instant.state;
    yield { kind: 'caught-up', vector: covered, floor, settled, epochs };
    this.#sent = covered;
    this.#state = 'live';
    return undefined;
  }

  async *#scan(place: Place, snapshot: Snapshot, state: LedgerState): AsyncGenerator<Resync | Changes> {
    const { observer } = this.#server.options;
    const generation = this.#server.options.generation();
    const scanning: Scanning = { snapshot, state, shape: this.#part.shape, generation, bounds: this.#server.options };
    const token = this.#tokenIn(place, state);
    const cursor = token === undefined ? cursorIn(place) : startOf(token);
    if (place.kind === 'now') {
      // What this node holds beyond what it covers was shown to those that follow already (rule R5).
      yield* scanLog(scanning, this.#server.cursor(state.covered));
      return;
    }
    let refused = cursor === undefined ? undefined : cursorRefused(cursor, state, this.#judging);
    if (place.kind === 'token' && token === undefined && place.cursor === undefined) refused = 'void-progress';
    if (refused === undefined && cursor !== undefined && this.#open.role === 'watch') checkCoversWatch(cursor, state);
    if (refused !== undefined) {
      observer.resyncSent(refused);
      const { finals } = this.#server.options.ledger.registry.membership;
      yield { kind: 'resync', vector: state.covered, finals, reason: refused };
    }
    if (refused !== undefined || cursor === undefined) {
      yield* this.#counted('records', this.#everything(scanning));
    } else {
      if (token?.kind === 'records') {
        yield* this.#counted('records', scanRecords(scanning, token.from, { after: token.last }));
      }
      yield* this.#counted('log', scanLog(scanning, cursor));
    }
  }

  /** How far an earlier scan came, where that is still worth something: else the follower goes on from what it covers. */
  #tokenIn(place: Place, state: LedgerState): ScanToken | undefined {
    const token = place.kind === 'token' ? decodeToken(place.token, this.#server.options.generation()) : undefined;
    if (token?.kind === 'log' && isOfAnotherLife(token.covered, state, this.#judging)) return undefined;
    if (token === undefined || cursorIn(place) === undefined) return token;
    return cursorRefused(startOf(token), state, this.#judging) === undefined ? token : undefined;
  }

  /** By what this follower's cursors are judged. */
  get #judging(): Judging {
    const { self, ledger } = this.#server.options;
    return { self, membership: ledger.registry.membership, isPeer: this.#open.role === 'peer' };
  }

  /** A cache holds nothing that was not asked for: of everything it is sent the registry. */
  #everything(scanning: Scanning): AsyncGenerator<Changes> {
    const from = this.#server.cursor(scanning.state.covered);
    return scanRecords(scanning, from, this.#open.role === 'cache' ? { namespace: registryNamespace } : {});
  }

  async *#counted(kind: 'log' | 'records', scan: AsyncGenerator<Changes>): AsyncGenerator<Changes> {
    const { observer } = this.#server.options;
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

  /** Ends where the follower fell out of the ring, with its cursor. */
  async *#live(): AsyncGenerator<FeedEvent, Place> {
    const { ledger, observer } = this.#server.options;
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
        return { kind: 'cursor', cursor: this.#server.cursor(this.#sent) };
      } else if (entry === undefined) {
        await this.#more();
      } else {
        this.#place++;
        this.#sent = entry.step.vector;
        const changes = shapeEntry(entry, this.#part.shape, observer);
        // A step that changes nothing of this part still moves the cursor; a row of them is told once.
        if (changes.records.length === 0 && entry.step.epochs === undefined) unsent = changes;
        else {
          unsent = undefined;
          yield changes;
        }
      }
    }
  }

  /** The first echo that has everything before it sent. */
  #dueEcho(): FeedEvent | undefined {
    const pending = this.#echoes[0];
    if (pending === undefined || pending.place > this.#place) return undefined;
    const { probe, bound } = pending;
    const wallMs = this.#server.options.clock.wallMs();
    return { kind: 'echo', id: probe.id, wallMs, ...(bound === undefined ? {} : { bound }) };
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
      const forget = this.#server.options.ledger.ring.onceChanged(done);
      this.#wake = done;
      this.#signal.addEventListener('abort', done, { once: true });
    });
  }
}
