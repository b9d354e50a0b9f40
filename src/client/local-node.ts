import type { Call } from '../model/call.ts';
import type {
  DigestRequest,
  Member,
  NodeStatus,
  RemovedMember,
  RemoveMemberRequest,
  ScopeDigest,
} from '../model/cluster.ts';
import { MeridianError } from '../model/errors.ts';
import type {
  GetAnswer,
  GetRequest,
  ListAnswer,
  ListRequest,
  Mutation,
  ReadOptions,
  ValueWaiter,
  WriteAnswer,
  WriteRequest,
} from '../model/key-value.ts';
import type { NamespaceInfo } from '../model/namespace.ts';
import type { NamespaceChange } from '../model/namespaces.ts';
import type { RangeDigest, RangeDigestRequest } from '../model/range-digest.ts';
import type { Session } from '../model/session.ts';
import type { CreateTokenRequest, IssuedToken, RotateTokenRequest, TokenInfo } from '../model/token.ts';
import type { Upstream } from '../model/upstream.ts';
import type { GetManyRequest, RemoteNode } from './remote-node.ts';
import type { WatchEvent, WatchRequest } from './watch-event.ts';

/**
 * A node inside this process, as the client uses one that is far away. It stays its opener's to close.
 * Watches are not answered by an edge but passed on, so they go straight to its upstreams, the next one after a failure.
 */
export class LocalNode implements RemoteNode {
  readonly #node: Upstream;
  readonly #watched: ReadonlyArray<Pick<RemoteNode, 'watch'>>;
  #current = 0;

  constructor(node: Upstream, watched: ReadonlyArray<Pick<RemoteNode, 'watch'>>) {
    this.#node = node;
    this.#watched = watched;
  }

  peek(request: GetRequest): GetAnswer | undefined {
    return this.#node.peek(request);
  }

  /** A hit is there at once; whatever must wait is asked for by `get`. */
  beginGet(key: string, { namespace, session }: ReadOptions, _call: Call, waiter: ValueWaiter): boolean {
    const hit = this.#node.peek({ namespace, session, key });
    if (hit === undefined) return false;
    waiter.value(hit.record?.kind === 'live' ? hit.record.value : undefined, hit.session);
    return true;
  }

  async get(request: GetRequest, call: Call): Promise<GetAnswer> {
    return this.#node.peek(request) ?? this.#node.get(request, call);
  }

  getMany({ keys, ...request }: GetManyRequest, call: Call): Promise<readonly GetAnswer[]> {
    return Promise.all(keys.map((key) => this.get({ ...request, key }, call)));
  }

  list(request: ListRequest, call: Call): Promise<ListAnswer> {
    return this.#node.list(request, call);
  }

  /** With values of their own: the edge keeps them, and the application may write into its own again. */
  write(request: WriteRequest, call: Call): Promise<WriteAnswer> {
    return this.#node.write({ ...request, mutations: request.mutations.map(ownValue) }, call);
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const current = this.#current;
    try {
      yield* this.#watched[current]?.watch(request, signal) ?? [];
    } catch (error) {
      // A reader who had enough, or was stopped, says nothing of the upstream.
      if (!signal.aborted && this.#current === current) this.#current = (current + 1) % this.#watched.length;
      throw error;
    }
  }

  create(title: string, call: Call): Promise<NamespaceChange> {
    return this.#node.create(title, call);
  }

  find(name: string, call: Call, session?: Session): Promise<NamespaceInfo> {
    return this.#node.find(name, call, session);
  }

  namespaces(call: Call): Promise<readonly NamespaceInfo[]> {
    return this.#node.namespaces(call);
  }

  rename(name: string, title: string, call: Call): Promise<NamespaceChange> {
    return this.#node.rename(name, title, call);
  }

  remove(name: string, call: Call): Promise<NamespaceChange> {
    return this.#node.remove(name, call);
  }

  moveHome(name: string, origin: string, call: Call): Promise<NamespaceChange> {
    return this.#node.moveHome(name, origin, call);
  }

  createToken(request: CreateTokenRequest, call: Call): Promise<IssuedToken> {
    return this.#node.createToken(request, call);
  }

  tokens(call: Call): Promise<readonly TokenInfo[]> {
    return this.#node.tokens(call);
  }

  rotateToken(request: RotateTokenRequest, call: Call): Promise<IssuedToken> {
    return this.#node.rotateToken(request, call);
  }

  revokeToken(name: string, call: Call): Promise<readonly TokenInfo[]> {
    return this.#node.revokeToken(name, call);
  }

  status(call: Call): Promise<NodeStatus> {
    return this.#node.status(call);
  }

  members(call: Call): Promise<readonly Member[]> {
    return this.#node.members(call);
  }

  removeMember(request: RemoveMemberRequest, call: Call): Promise<RemovedMember> {
    return this.#node.removeMember(request, call);
  }

  digest(request: DigestRequest, call: Call): Promise<readonly ScopeDigest[]> {
    return this.#node.digest(request, call);
  }

  digestRange(request: RangeDigestRequest, call: Call): Promise<RangeDigest> {
    return this.#node.digestRange(request, call);
  }

  async drain(): Promise<never> {
    throw new MeridianError('UNIMPLEMENTED', 'an edge inside an application is closed by the application', {
      reason: 'embedded',
    });
  }

  close(): void {}
}

function ownValue(mutation: Mutation): Mutation {
  return mutation.kind === 'put' ? { ...mutation, value: new Uint8Array(mutation.value) } : mutation;
}
