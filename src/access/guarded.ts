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
} from '../model/cluster.ts';
import type { FeedEvent, FollowerMessage, FollowOpen } from '../model/feed.ts';
import type { GetAnswer, GetRequest, ListAnswer, ListRequest, WriteAnswer, WriteRequest } from '../model/key-value.ts';
import { type NamespaceInfo, registryNamespace } from '../model/namespace.ts';
import type { NamespaceChange } from '../model/namespaces.ts';
import type { RangeDigest, RangeDigestRequest } from '../model/range-digest.ts';
import type { Session } from '../model/session.ts';
import type { CreateTokenRequest, IssuedToken, RotateTokenRequest, TokenInfo } from '../model/token.ts';
import type { Peer, Upstream } from '../model/upstream.ts';
import { either } from '../runtime/with-either.ts';
import type { Grant, TokenSource } from './grant.ts';
import type { GrantWatch } from './grant-watch.ts';
import { Permissions } from './permissions.ts';

export interface Guard<U extends Upstream = Upstream> {
  readonly upstream: U;
  readonly grant: Grant;
  readonly source: TokenSource;
  readonly watch: GrantWatch;
}

/**
 * A node as one caller may use it: every method asks for its right before it does anything. Surfaces hold nothing else of
 * the node, so that none can forget to ask.
 *
 * Where the node passes something on that changes the cluster, the caller's own token goes with it: whoever decides
 * checks that one, and need not believe the node that passed it on.
 */
export class Guarded implements Upstream {
  readonly #upstream: Upstream;
  readonly #grant: Grant;
  readonly #watch: GrantWatch;
  readonly #permissions: Permissions;

  constructor({ upstream, grant, source, watch }: Guard) {
    this.#upstream = upstream;
    this.#grant = grant;
    this.#watch = watch;
    const find = (name: string, call: Call, session?: Session) => upstream.find(name, call, session);
    this.#permissions = new Permissions(grant, source, find);
  }

  peek(request: GetRequest): GetAnswer | undefined {
    const namespace = this.#permissions.keyAtOnce(['read', 'replicate'], request);
    if (namespace === undefined) return undefined;
    return this.#upstream.peek(namespace === request.namespace ? request : { ...request, namespace });
  }

  async get(request: GetRequest, call: Call): Promise<GetAnswer> {
    const namespace = await this.#permissions.key(['read', 'replicate'], request, call);
    return this.#upstream.get(namespace === request.namespace ? request : { ...request, namespace }, call);
  }

  async list(request: ListRequest, call: Call): Promise<ListAnswer> {
    const namespace = await this.#permissions.prefix(['list', 'replicate'], request, call);
    return this.#upstream.list({ ...request, namespace }, call);
  }

  async write(request: WriteRequest, call: Call): Promise<WriteAnswer> {
    const namespace = await this.#permissions.keys(['write'], request, call);
    return this.#upstream.write({ ...request, namespace }, this.#passedOn(call));
  }

  async *follow(
    open: FollowOpen,
    messages: AsyncIterable<FollowerMessage>,
    signal: AbortSignal,
  ): AsyncGenerator<FeedEvent> {
    this.#permissions.follow(open);
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
    }
  }

  async create(title: string, call: Call): Promise<NamespaceChange> {
    this.#permissions.title(title);
    return this.#upstream.create(title, this.#passedOn(call));
  }

  async find(name: string, call: Call, session?: Session): Promise<NamespaceInfo> {
    return this.#permissions.found(name, call, session);
  }

  async namespaces(call: Call): Promise<readonly NamespaceInfo[]> {
    const all = await this.#upstream.namespaces(call);
    return all.filter((namespace) => this.#permissions.sees(namespace));
  }

  async rename(name: string, title: string, call: Call): Promise<NamespaceChange> {
    const namespace = await this.#permissions.whole(name, call);
    this.#permissions.title(title);
    return this.#upstream.rename(namespace, title, this.#passedOn(call));
  }

  async remove(name: string, call: Call): Promise<NamespaceChange> {
    return this.#upstream.remove(await this.#permissions.whole(name, call), this.#passedOn(call));
  }

  async moveHome(name: string, origin: string, call: Call): Promise<NamespaceChange> {
    return this.#upstream.moveHome(await this.#permissions.whole(name, call), origin, this.#passedOn(call));
  }

  async status(call: Call): Promise<NodeStatus> {
    this.#permissions.status();
    return this.#upstream.status(call);
  }

  async members(call: Call): Promise<readonly Member[]> {
    this.#permissions.status();
    return this.#upstream.members(call);
  }

  async removeMember(request: RemoveMemberRequest, call: Call): Promise<RemovedMember> {
    this.#permissions.everything(['admin']);
    return this.#upstream.removeMember(request, this.#passedOn(call));
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
    this.#permissions.everything(['admin']);
    return this.#upstream.createToken(request, this.#passedOn(call));
  }

  async tokens(call: Call): Promise<readonly TokenInfo[]> {
    this.#permissions.everything(['admin']);
    return this.#upstream.tokens(this.#passedOn(call));
  }

  async rotateToken(request: RotateTokenRequest, call: Call): Promise<IssuedToken> {
    this.#permissions.everything(['admin']);
    return this.#upstream.rotateToken(request, this.#passedOn(call));
  }

  async revokeToken(name: string, call: Call): Promise<readonly TokenInfo[]> {
    this.#permissions.everything(['admin']);
    return this.#upstream.revokeToken(name, this.#passedOn(call));
  }

  /** What other origins alone ask. */
  protected checkPeer(): void {
    this.#permissions.everything(['replicate', 'admin']);
  }

  #passedOn(call: Call): Call {
    const { credential } = this.#grant;
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
