import type { Call } from '../model/call.ts';
import type { CallerConnection, Caller as CallerSide, Entrance } from '../model/entrance.ts';
import { MeridianError } from '../model/errors.ts';
import {
  type GetAnswer,
  type GetRequest,
  type ListAnswer,
  type ListRequest,
  type Mutation,
  type ReadOptions,
  valueBytesOf,
  type WriteAnswer,
} from '../model/key-value.ts';
import type { NamespaceInfo } from '../model/namespace.ts';
import type { Position } from '../model/position.ts';
import { emptySession, joinSessions, type Session, sessionAfterAnswer, sessionAfterRecord } from '../model/session.ts';
import type { Stamp } from '../model/stamp.ts';
import type { Upstream } from '../model/upstream.ts';
import type { VersionVector } from '../model/version-vector.ts';
import type { Held } from '../runtime/answer-room.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { orUndo } from '../runtime/or-undo.ts';
import type { Random } from '../runtime/random.ts';
import type { Rooms } from '../runtime/rooms.ts';
import type { Semaphore } from '../runtime/semaphore.ts';
import { commandCall, OpenCalls } from './command-call.ts';
import { HeldValue, type Reply, RespError } from './protocol/reply.ts';
import type { Protocol } from './protocol/reply-writer.ts';
import type { ScanCursors } from './scan-cursors.ts';
import type { Tracking } from './tracking.ts';

/** What all clients of a listener share. */
export interface ClientParts {
  readonly entrance: Entrance;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly rooms: Rooms;
  readonly cursors: ScanCursors;
  /** Clients whose keys are tracked. */
  readonly trackings: Semaphore;
  /** Title or id of a namespace, by the number of the database that stands for it. */
  readonly databases: ReadonlyMap<number, string>;
  /** Milliseconds for one command. */
  readonly requestTimeoutMs: number;
  /** The node may serve answers past the bound while it refreshes them: one cannot be told here from one that may not. */
  readonly asksAgain: boolean;
  readonly about: AboutNode;
}

/** What INFO tells besides what the node's status says. */
export interface AboutNode {
  readonly version: string;
  clients(): number;
  commands(): number;
}

/** What a read accepts, where it differs from its connection's. */
export interface ReadTerms {
  readonly maxStalenessMs?: number | undefined;
  readonly atOrigin?: boolean;
}

/** What a client of the connection may do besides sending commands. */
export interface Channel {
  /** Sends a message that no command asked for, behind the replies to all that were begun. Resolves when there is room for more. */
  push(reply: Reply): Promise<void>;
  /** Ends the connection once its replies are sent. */
  quit(): void;
  /** Names the connection, for shares of rooms. */
  readonly caller: CallerConnection;
  /** What is known of the other side before it says anything. */
  readonly side: Omit<CallerSide, 'authorization'>;
}

/** Bytes of a reply that no room is asked for: as little as the answer room counts as nothing. */
export const largeBytesMin = 64 * 1024;

/** One connection, as its commands see it: what it chose, what it saw, and what it may ask of the node. */
export class Client {
  readonly parts: ClientParts;
  readonly channel: Channel;
  readonly id: number;
  name = '';
  protocol: Protocol = 2;
  database = 0;
  /** Milliseconds that reads accept; undefined = the node's own. */
  maxStalenessMs: number | undefined;
  tracking: Tracking | undefined;
  #upstream: Upstream | undefined;
  #namespace: string | undefined;
  /** What AUTH named. */
  #named: string | undefined;
  #session: Session = emptySession;
  readonly #open = new OpenCalls();

  constructor(parts: ClientParts, channel: Channel, id: number) {
    this.parts = parts;
    this.channel = channel;
    this.id = id;
    this.#namespace = parts.databases.get(0);
  }

  /** The node as whoever has authenticated here may use it. @throws UNAUTHENTICATED where nobody has, and somebody must */
  get upstream(): Upstream {
    this.#upstream ??= this.parts.entrance.enter(this.channel.side);
    return this.#upstream;
  }

  /**
   * Whoever brings this token, or none, is served from now on, or until what is returned takes it back.
   * @throws as `Entrance.enter`; then nothing changes
   */
  enter(token: string): () => void {
    const { side } = this.channel;
    const before = this.#upstream;
    this.#upstream = this.parts.entrance.enter(token === '' ? side : { ...side, authorization: `Bearer ${token}` });
    return () => {
      this.#upstream = before;
    };
  }

  /** Among whom scans are shared out: whoever proved himself here, on all his connections, or all who come from this address. */
  get share(): string {
    const { caller, side } = this.channel;
    const share = this.parts.entrance.shareOf(caller, side.address);
    return typeof share === 'string' ? share : side.address;
  }

  get hasNamespace(): boolean {
    return this.#namespace !== undefined;
  }

  /** The namespace of a database: the one that is mapped to it, and of 0 else the one that AUTH named. */
  namespaceOf(database: number): string | undefined {
    return this.parts.databases.get(database) ?? (database === 0 ? this.#named : undefined);
  }

  /** Title or id. @throws RespError NOAUTH where none was chosen */
  get namespace(): string {
    if (this.#namespace === undefined) throw noNamespace();
    return this.#namespace;
  }

  /** Replies may take room in memory, as far as the namespace has shown. */
  get mayGetLarge(): boolean {
    return this.#namespace !== undefined && this.parts.rooms.answers.expected(this.#namespace) > 0;
  }

  /** @throws RespError where keys of another namespace are tracked */
  choose(namespace: string): void {
    if (this.tracking !== undefined && namespace !== this.#namespace) {
      throw new RespError('ERR CLIENT TRACKING must be off before another namespace is chosen', 'tracking-is-on');
    }
    this.#namespace = namespace;
  }

  /** By AUTH. @throws as `choose` */
  chooseNamed(namespace: string): void {
    this.choose(namespace);
    this.#named = namespace;
  }

  /** As it was when it connected. */
  reset(): void {
    this.stopTracking();
    this.protocol = 2;
    this.name = '';
    this.database = 0;
    this.maxStalenessMs = undefined;
    this.#session = emptySession;
    this.#namespace = this.parts.databases.get(0);
    this.#named = undefined;
    // Whoever has the connection next is not whoever has authenticated on it.
    this.#upstream = undefined;
  }

  /** Idempotent. */
  stopTracking(): void {
    this.tracking?.stop();
    this.tracking = undefined;
  }

  /** The client is gone. */
  close(): void {
    this.stopTracking();
    const gone = new MeridianError('CANCELLED', 'the client went away', { reason: 'client-gone' });
    this.#open.abortAll(gone);
  }

  /** Runs with a call of its own. Default: for as long as a command may take. */
  async within<T>(run: (call: Call) => Promise<T>, timeoutMs = this.parts.requestTimeoutMs): Promise<T> {
    const { call, end } = commandCall(this.parts.clock, timeoutMs, this.#open);
    try {
      return await run(call);
    } finally {
      end();
    }
  }

  /**
   * An answer that is there, without waiting; undefined where it must be loaded, or is large. This is the way of every
   * read of one key: what is undefined here goes through `get`.
   */
  peek(key: string): GetAnswer | undefined {
    const answer = this.upstream.peek(this.#requestAsChosen(key));
    if (answer === undefined || answer.past || valueBytesOf(answer) >= largeBytesMin) return undefined;
    this.#saw(answer, this.#session);
    this.tracking?.saw(answer);
    return answer;
  }

  /**
   * The reply that is made of the key's answer, read within the room that there is for large ones.
   * @throws RespError STALE where the answer is past what is accepted
   */
  get(key: string, reply: (answer: GetAnswer) => Reply, terms: ReadTerms = {}): Promise<Reply> {
    return this.within(async (call) => {
      const { answer, release } = await this.read(key, terms, call);
      if (valueBytesOf(answer) >= largeBytesMin) return new HeldValue(reply(answer), release);
      release();
      return reply(answer);
    });
  }

  /** The key's answer; what it holds of the room for large ones is the caller's to release. @throws as `get` */
  async read(key: string, terms: ReadTerms, call: Call): Promise<Held<GetAnswer>> {
    const asked = { caller: this.channel.caller, namespace: this.namespace, key, call };
    const read = () => this.#read(this.#request(key, terms), call);
    const held = await this.parts.rooms.answers.hold(asked, read, valueBytesOf);
    if (held === undefined) throw tooManyAnswers();
    return held;
  }

  /**
   * What `pick` takes of each key's answer, some read at once. Of values that are picked there are `bytesMax` at most, of
   * which `bytes` are there already; 0 where none is picked. The room that they take is the caller's to release.
   * @throws RespError STALE; RESOURCE_EXHAUSTED; INVALID_ARGUMENT where the values are too large together
   */
  async readAll<T>(
    keys: readonly string[],
    pick: (answer: GetAnswer) => T,
    { bytesMax, bytes = 0 }: { readonly bytesMax: number; readonly bytes?: number },
    call: Call,
  ): Promise<Held<T[]>> {
    const { answers } = this.parts.rooms;
    const { caller } = this.channel;
    const namespace = this.namespace;
    const likelyBytes = answers.expected(namespace) > 0 ? bytesMax : bytes + keys.length * largeBytesMin;
    const room = Math.min(likelyBytes, bytesMax);
    const release = room > 0 ? await this.reserve(room, call) : () => {};
    let pickedBytes = bytes;
    const readOne = async (key: string): Promise<T> => {
      const read = () => this.#read(this.#request(key, {}), call);
      const answer = await answers.read({ caller, namespace, key, call }, read, valueBytesOf);
      if (answer === undefined) throw tooManyAnswers();
      if (bytesMax > 0) pickedBytes += valueBytesOf(answer);
      if (pickedBytes > bytesMax) throw replyTooLarge(bytesMax);
      return pick(answer);
    };
    const readEach = async (): Promise<T[]> => {
      const picked: T[] = [];
      for (let at = 0; at < keys.length; at += keysAtOnce) {
        picked.push(...(await Promise.all(keys.slice(at, at + keysAtOnce).map(readOne))));
      }
      return picked;
    };
    return { answer: await orUndo(readEach(), release), release };
  }

  /** Room for so many bytes of a reply, which the caller is to release. @throws RESOURCE_EXHAUSTED */
  async reserve(bytes: number, call: Call): Promise<() => void> {
    const release = await this.parts.rooms.answers.reserve(bytes, { caller: this.channel.caller, call });
    if (release === undefined) throw tooManyAnswers();
    return release;
  }

  /** A page of keys within the room that there is for large replies. The room that it takes is the caller's to release. */
  async listHeld(request: ListedPage, call: Call): Promise<Held<ListAnswer>> {
    const name = { namespace: `${listsOf}${this.namespace}`, key: '' };
    const asked = { caller: this.channel.caller, ...name, call };
    const bytesOf = ({ keys }: ListAnswer) => keys.reduce((sum, { key }) => sum + key.length + listedBytes, 0);
    const held = await this.parts.rooms.answers.hold(asked, () => this.list(request, call), bytesOf);
    if (held === undefined) throw tooManyAnswers();
    return held;
  }

  async list(request: ListedPage, call: Call): Promise<ListAnswer> {
    const asked = this.#session;
    const answer = await this.upstream.list({ ...this.#options({}), ...request }, call).catch(refuseUnknown);
    if (answer.past) throw stale(answer);
    this.#saw(answer, asked);
    return answer;
  }

  async write(mutations: readonly Mutation[], call: Call): Promise<WriteAnswer> {
    const asked = this.#session;
    const answer = await this.upstream.write({ namespace: this.namespace, mutations, session: asked }, call);
    this.#saw(answer, asked);
    return answer;
  }

  /** What its namespace is, by what the client has seen and by all that `seen` covers. @throws NOT_FOUND, UNAVAILABLE */
  find(seen: VersionVector, call: Call): Promise<NamespaceInfo> {
    return this.upstream.find(this.namespace, call, joinSessions(this.#session, { ...emptySession, vector: seen }));
  }

  /** The client was told of this record: whatever it reads from now on is at least as new. */
  sawRecord(position: Position, stamp: Stamp): void {
    this.#session = sessionAfterRecord(this.#session, position, stamp);
  }

  async #read(request: GetRequest, call: Call): Promise<GetAnswer> {
    const { upstream } = this;
    const { asksAgain } = this.parts;
    let answer = await upstream.get(request, call).catch(refuseUnknown);
    if (answer.past && asksAgain) answer = await upstream.get({ ...request, atOrigin: true }, call).catch(() => answer);
    if (answer.past) throw stale(answer);
    this.#saw(answer, request.session);
    this.tracking?.saw(answer);
    return answer;
  }

  #request(key: string, terms: ReadTerms): GetRequest {
    return { ...this.#options(terms), key };
  }

  /** As `#request` without terms, for every read: spreading objects took a tenth of a hot pipeline's time. */
  #requestAsChosen(key: string): GetRequest {
    const { namespace, maxStalenessMs } = this;
    const session = this.#session;
    return maxStalenessMs === undefined ? { namespace, session, key } : { namespace, session, key, maxStalenessMs };
  }

  #options({ maxStalenessMs = this.maxStalenessMs, atOrigin = false }: ReadTerms): ReadOptions {
    const namespace = this.namespace;
    const session = this.#session;
    if (atOrigin) return { namespace, session, atOrigin };
    return maxStalenessMs === undefined ? { namespace, session } : { namespace, session, maxStalenessMs };
  }

  #saw({ session }: { readonly session: Session }, asked: Session): void {
    if (session !== this.#session) this.#session = sessionAfterAnswer(this.#session, asked, session);
  }
}

type ListedPage = Pick<ListRequest, 'prefix' | 'limit' | 'cursor'>;

/** Bytes of a key of a reply besides its own. */
const listedBytes = 16;
/** No title begins with it: what the sizes of a namespace's lists are remembered under. */
const listsOf = '\0keys of lists:';

/** Keys of one command that are loaded at once. */
const keysAtOnce = 8;

/** To a reader a deadline that passed and an upstream that is away are one: nobody knows what the key holds. */
function refuseUnknown(error: unknown): never {
  if (error instanceof MeridianError && error.code === 'DEADLINE_EXCEEDED') {
    throw new MeridianError('UNAVAILABLE', error.message, { ...error.details, cause: error });
  }
  throw error;
}

function noNamespace(): RespError {
  return new RespError(
    'NOAUTH no namespace is chosen: AUTH with its title or id as the user name, or SELECT a database that ' +
      '--redis-database names',
    'no-namespace',
  );
}

function stale({ bound }: Pick<GetAnswer, 'bound'>): RespError {
  const age = bound === undefined ? 'nobody knows how old it is' : `it may be ${Math.ceil(bound.boundMs)} ms old`;
  return new RespError(`STALE what this node holds is past what is accepted: ${age}`, 'stale');
}

function tooManyAnswers(): MeridianError {
  return new MeridianError('RESOURCE_EXHAUSTED', 'too many large answers wait for room in memory', {
    reason: 'values-under-way',
    retryAfterMs: 1000,
  });
}

function replyTooLarge(bytesMax: number): MeridianError {
  return new MeridianError('INVALID_ARGUMENT', `the values of one reply have at most ${bytesMax} bytes in all`, {
    reason: 'answer-too-large',
    limit: bytesMax,
  });
}
