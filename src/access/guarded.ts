import type { Call } from '../model/call.ts';
import type {
  DigestRequest,
  Member,
  NodeStatus,
  RemovedMember,
  RemoveMemberRequest,
  Report,
  ReportRequest,
  ScopeDigest,
  Surroundings,
} from '../model/cluster.ts';
import { toMeridianError } from '../model/errors.ts';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../model/feed.ts';
import {
  type GetAnswer,
  type GetRequest,
  type ListAnswer,
  type ListRequest,
  valueBytesOf,
  type WriteAnswer,
  type WriteRequest,
} from '../model/key-value.ts';
import { type NamespaceInfo, registryNamespace } from '../model/namespace.ts';
import type { NamespaceChange } from '../model/namespaces.ts';
import type { RangeDigest, RangeDigestRequest } from '../model/range-digest.ts';
import type { Session } from '../model/session.ts';
import type { CreateTokenRequest, IssuedToken, RotateTokenRequest, TokenInfo } from '../model/token.ts';
import { around, type Peer, type Upstream } from '../model/upstream.ts';
import { nextTurn } from '../runtime/next-turn.ts';
import { either } from '../runtime/with-either.ts';
import { type Audit, type AuditEntry, auditKeysMax, auditName } from './audit.ts';
import type { Grant, TokenSource } from './grant.ts';
import type { GrantWatch } from './grant-watch.ts';
import { Permissions } from './permissions.ts';
import type { TokenRates } from './token-rates.ts';

export interface Guard<U extends Upstream = Upstream> {
  readonly upstream: U;
  readonly grant: Grant;
  readonly source: TokenSource;
  readonly watch: GrantWatch;
  readonly rates: TokenRates;
  /** Who is told of what was done. Default: nobody. */
  readonly audit?: Audit | undefined;
  /** Of the caller, for the audit. */
  readonly address: string;
}

/** Instead of notes, which may name namespaces: that there are some is no secret. */
const withheld = 'its notes are told to tokens for all namespaces alone';

type Audited = Pick<AuditEntry, 'action' | 'about' | 'keys' | 'keyCount'>;

/**
 * A node as one caller may use it: every method asks for its right before it does anything. Surfaces hold nothing else of
 * the node, so that none can forget to ask.
 *
 * Where the node passes something on that changes the cluster, the caller's own token goes with it: whoever decides
 * checks that one, and need not believe the node that passed it on.
 */
export class Guarded implements Upstream, Surroundings {
  readonly #upstream: Upstream;
  readonly #grant: Grant;
  readonly #watch: GrantWatch;
  readonly #permissions: Permissions;
  readonly #guard: Guard;
  /** Calls of which a read was let through. */
  readonly #begun = new WeakSet<Call>();
  /** A read from memory was let through in this turn of the event loop, and nobody knows of which call. */
  #hasPeeked = false;

  constructor(guard: Guard) {
    const { upstream, grant, source, watch } = guard;
    this.#guard = guard;
    this.#upstream = upstream;
    this.#grant = grant;
    this.#watch = watch;
    const find = (name: string, call: Call, session?: Session) => upstream.find(name, call, session);
    this.#permissions = new Permissions(grant, source, find);
  }

  peek(request: GetRequest): GetAnswer | undefined {
    const { id, limits } = this.#grant;
    const { rates } = this.#guard;
    const namespace = this.#permissions.keyAtOnce(['read', 'replicate'], request);
    if (namespace === undefined || !rates.has(id, limits, 'reads') || !rates.has(id, limits, 'bytes')) return undefined;
    const answer = this.#upstream.peek(namespace === request.namespace ? request : { ...request, namespace });
    if (answer === undefined) return undefined; // `get` will count it.
    rates.owe(id, limits, 'reads', 1);
    rates.owe(id, limits, 'bytes', valueBytesOf(answer));
    if (limits !== undefined && !this.#hasPeeked) this.#peeked();
    return answer;
  }

  async get(request: GetRequest, call: Call): Promise<GetAnswer> {
    const { id, limits } = this.#grant;
    const namespace = await this.#permissions.key(['read', 'replicate'], request, call);
    this.#takeRead(call);
    const answer = await this.#upstream.get(
      namespace === request.namespace ? request : { ...request, namespace },
      call,
    );
    this.#guard.rates.owe(id, limits, 'bytes', valueBytesOf(answer));
    return answer;
  }

  async list(request: ListRequest, call: Call): Promise<ListAnswer> {
    const namespace = await this.#permissions.prefix(['list', 'replicate'], request, call);
    this.#take('reads', 1);
    return this.#upstream.list({ ...request, namespace }, call);
  }

  async write(request: WriteRequest, call: Call): Promise<WriteAnswer> {
    const { mutations } = request;
    const run = async () => {
      const namespace = await this.#permissions.keys(['write'], request, call);
      this.#take('writes', mutations.length);
      const bytes = mutations.reduce((sum, each) => sum + (each.kind === 'put' ? each.value.byteLength : 0), 0);
      this.#guard.rates.owe(this.#grant.id, this.#grant.limits, 'bytes', bytes);
      return this.#upstream.write({ ...request, namespace }, this.#passedOn(call));
    };
    if (this.#guard.audit?.writes !== true) return run();
    const keys = mutations.slice(0, auditKeysMax).map(({ key }) => auditName(key));
    return this.#audited({ action: 'write', about: [request.namespace], keys, keyCount: mutations.length }, run);
  }

  async *follow(
    open: FollowOpen,
    messages: AsyncIterable<FollowerMessage>,
    signal: AbortSignal,
  ): AsyncGenerator<FeedEvent> {
    this.#permissions.follow(open);
    const release = this.#guard.rates.beginStream(this.#grant.id, this.#grant.limits);
    const watch = this.#watch.begin(() => this.#permissions.follow(open));
    const ending = either([signal, watch.signal]);
    try {
      for await (const event of this.#upstream.follow(open, messages, ending.signal)) {
        watch.signal.throwIfAborted();
        yield event;
      }
      watch.signal.throwIfAborted();
    } finally {
      ending.release();
      watch.release();
      release();
    }
  }

  async create(title: string, call: Call): Promise<NamespaceChange> {
    return this.#audited({ action: 'namespace.create', about: [title] }, async () => {
      this.#permissions.title(title);
      return this.#upstream.create(title, this.#passedOn(call));
    });
  }

  async find(name: string, call: Call, session?: Session): Promise<NamespaceInfo> {
    return this.#permissions.found(name, call, session);
  }

  async namespaces(call: Call): Promise<readonly NamespaceInfo[]> {
    const all = await this.#upstream.namespaces(call);
    return all.filter((namespace) => this.#permissions.sees(namespace));
  }

  async rename(name: string, title: string, call: Call): Promise<NamespaceChange> {
    return this.#audited({ action: 'namespace.rename', about: [name, title] }, async () => {
      const namespace = await this.#permissions.whole(name, call);
      this.#permissions.title(title);
      return this.#upstream.rename(namespace, title, this.#passedOn(call));
    });
  }

  async remove(name: string, call: Call): Promise<NamespaceChange> {
    return this.#audited({ action: 'namespace.delete', about: [name] }, async () => {
      return this.#upstream.remove(await this.#permissions.whole(name, call), this.#passedOn(call));
    });
  }

  async moveHome(name: string, origin: string, call: Call): Promise<NamespaceChange> {
    return this.#audited({ action: 'namespace.home', about: [name, origin] }, async () => {
      const namespace = await this.#permissions.whole(name, call);
      return this.#upstream.moveHome(namespace, origin, this.#passedOn(call));
    });
  }

  async status(call: Call): Promise<NodeStatus> {
    this.#permissions.status();
    return this.#told(await this.#upstream.status(call));
  }

  async around(call: Call): Promise<readonly NodeStatus[]> {
    this.#permissions.status();
    return (await around(this.#upstream, call)).map((status) => this.#told(status));
  }

  /** Keys are told to whoever may read them, or list them, alone; titles, which stand in filters and notes, likewise. */
  #told({ hotKeys, ...status }: NodeStatus): NodeStatus {
    const known = hotKeys?.filter((one) => this.#permissions.mayKnow(one));
    const told = known === undefined ? status : { ...status, hotKeys: known };
    if (this.#permissions.mayKnowTitles()) return told;
    const notes = told.notes.length === 0 ? [] : [withheld];
    return { ...told, notes, scopes: told.scopes.map((scope) => ({ ...scope, filter: [] })) };
  }

  async members(call: Call): Promise<readonly Member[]> {
    this.#permissions.status();
    return this.#upstream.members(call);
  }

  async removeMember(request: RemoveMemberRequest, call: Call): Promise<RemovedMember> {
    return this.#audited({ action: 'member.remove', about: [request.name] }, async () => {
      this.#permissions.everything(['admin']);
      return this.#upstream.removeMember(request, this.#passedOn(call));
    });
  }

  async digest(request: DigestRequest, call: Call): Promise<readonly ScopeDigest[]> {
    this.#permissions.anyOnEverything(['replicate', 'admin']);
    return this.#upstream.digest(request, call);
  }

  async digestRange(request: RangeDigestRequest, call: Call): Promise<RangeDigest> {
    if (request.namespace === registryNamespace) this.#permissions.everything(['replicate']);
    else await this.#permissions.prefix(['replicate'], request, call);
    return this.#upstream.digestRange(request, call);
  }

  async createToken(request: CreateTokenRequest, call: Call): Promise<IssuedToken> {
    return this.#audited({ action: 'token.create', about: [request.name] }, async () => {
      this.#permissions.everything(['admin']);
      return this.#upstream.createToken(request, this.#passedOn(call));
    });
  }

  async tokens(call: Call): Promise<readonly TokenInfo[]> {
    this.#permissions.everything(['admin']);
    return this.#upstream.tokens(this.#passedOn(call));
  }

  async rotateToken(request: RotateTokenRequest, call: Call): Promise<IssuedToken> {
    return this.#audited({ action: 'token.rotate', about: [request.name] }, async () => {
      this.#permissions.everything(['admin']);
      return this.#upstream.rotateToken(request, this.#passedOn(call));
    });
  }

  async revokeToken(name: string, call: Call): Promise<readonly TokenInfo[]> {
    return this.#audited({ action: 'token.revoke', about: [name] }, async () => {
      this.#permissions.everything(['admin']);
      return this.#upstream.revokeToken(name, this.#passedOn(call));
    });
  }

  /** Does something to the node itself. @throws PERMISSION_DENIED, what `run` throws */
  administered<T>(action: string, run: () => Promise<T>): Promise<T> {
    return this.#audited({ action, about: [] }, async () => {
      this.#permissions.everything(['admin']);
      return run();
    });
  }

  /** What other origins alone ask. */
  protected checkPeer(): void {
    this.#permissions.everything(['replicate', 'admin']);
  }

  /**
   * A batch that has begun goes on, and what it reads beyond the limit is owed. It could never be read otherwise: each
   * attempt would use up what had been regained, and end at the same key.
   */
  #takeRead(call: Call): void {
    const { id, limits } = this.#grant;
    if (limits !== undefined && (this.#hasPeeked || this.#begun.has(call))) {
      this.#guard.rates.owe(id, limits, 'reads', 1);
      return;
    }
    this.#take('reads', 1);
    if (limits !== undefined) this.#begun.add(call);
  }

  #peeked(): void {
    this.#hasPeeked = true;
    void nextTurn().then(() => {
      this.#hasPeeked = false;
    });
  }

  /** @throws RESOURCE_EXHAUSTED where the token's own limits are reached */
  #take(rate: 'reads' | 'writes', count: number): void {
    const { id, limits } = this.#grant;
    this.#guard.rates.take(id, limits, 'bytes', 0);
    this.#guard.rates.take(id, limits, rate, count);
  }

  /** Tells of what was done or tried, refused or not, once that is known. */
  async #audited<T>(what: Audited, run: () => Promise<T>): Promise<T> {
    const { audit, address } = this.#guard;
    if (audit === undefined) return run();
    const { name: who, id: tokenId } = this.#grant;
    const entry = { who, tokenId, address, ...what, about: what.about.map(auditName) };
    try {
      const done = await run();
      audit.record({ ...entry, outcome: 'ok' });
      return done;
    } catch (error) {
      audit.record({ ...entry, outcome: toMeridianError(error).code });
      throw error;
    }
  }

  #passedOn(call: Call): Call {
    const { credential, isProvenHere } = this.#grant;
    if (isProvenHere) return { ...call, isProvenHere };
    return credential === undefined ? call : { ...call, credential };
  }
}

/** The same of an origin, which also reports to others. */
export class GuardedPeer extends Guarded implements Peer {
  readonly #peer: Peer;

  constructor(guard: Guard<Peer>) {
    super(guard);
    this.#peer = guard.upstream;
  }

  async report(request: ReportRequest, call: Call): Promise<Report> {
    this.checkPeer();
    return this.#peer.report(request, call);
  }
}
