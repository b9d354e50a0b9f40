import { setMaxListeners } from 'node:events';
import type {
  DigestRequest,
  DrainProgress,
  DrainRequest,
  Member,
  NodeStatus,
  RemovedMember,
  RemoveMemberRequest,
  ScopeDigest,
} from '../model/cluster.ts';
import { checkText } from '../model/text.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { type ClientContext, inCall } from './call-frame.ts';
import type { CallOptions } from './call-options.ts';
import { Endpoints } from './endpoints.ts';
import type { Namespace } from './namespace.ts';
import { NamespaceAdmin } from './namespace-admin.ts';
import { NamespaceHandle } from './namespace-handle.ts';
import type { RemoteNode } from './remote-node.ts';
import { SessionKeeper } from './session-keeper.ts';
import { TokenAdmin } from './token-admin.ts';

export interface ClusterHandleOptions {
  readonly nodes: readonly RemoteNode[];
  readonly clock: Clock;
  readonly random: Random;
  readonly timeoutMs: number;
  readonly sessions: boolean;
  /** As `ConnectOptions.traceContext`. */
  readonly traceContext?: ClientContext['traceContext'];
}

/** A cluster as one application sees it: one session, one set of connections. */
export class ClusterHandle {
  /** What was written and seen through this handle; `export` and `import` carry it to another process. */
  readonly session: SessionKeeper;
  readonly namespaces: NamespaceAdmin;
  readonly tokens: TokenAdmin;
  protected readonly random: Random;
  protected readonly context: ClientContext;
  readonly #closing = new AbortController();

  constructor({ nodes, clock, random, timeoutMs, sessions, traceContext }: ClusterHandleOptions) {
    this.session = new SessionKeeper(sessions);
    this.random = random;
    // Each call under way listens for the end of the handle; their number is the application's affair.
    setMaxListeners(0, this.#closing.signal);
    const endpoints = new Endpoints(nodes);
    const shared = { endpoints, session: this.session, clock, random, timeoutMs, traceContext };
    this.context = { ...shared, closing: this.#closing.signal };
    this.namespaces = new NamespaceAdmin(this.context);
    this.tokens = new TokenAdmin(this.context);
  }

  /** The namespace of that title or id; nothing is asked before its first use. @throws INVALID_ARGUMENT for half a character */
  namespace(name: string): Namespace {
    checkText(name, "a namespace's name");
    return new NamespaceHandle(this.context, this.random, name);
  }

  /** Removes an origin for good. @throws NOT_FOUND, FAILED_PRECONDITION where too few of the others can report */
  async removeMember(request: RemoveMemberRequest, options: CallOptions = {}): Promise<RemovedMember> {
    checkText(request.name, 'a name');
    return inCall(this.context, options, (call) =>
      this.context.endpoints.write((node) => node.removeMember(request, call)),
    );
  }

  /** Of all that the node in use holds whole, without what has expired by this second since 1970. */
  async digest(request: DigestRequest, options: CallOptions = {}): Promise<readonly ScopeDigest[]> {
    return inCall(this.context, options, (call) => this.context.endpoints.read((node) => node.digest(request, call)));
  }

  /** Of the node in use. */
  async status(options: CallOptions = {}): Promise<NodeStatus> {
    return inCall(this.context, options, (call) => this.context.endpoints.read((node) => node.status(call)));
  }

  /**
   * Takes the node in use out of traffic until it is started again, or says how far that is; with `stop` its process ends.
   * Meant for a handle with one endpoint. @throws PERMISSION_DENIED; UNIMPLEMENTED by nodes of an earlier version
   */
  async drain(request: DrainRequest, options: CallOptions = {}): Promise<DrainProgress> {
    return inCall(this.context, options, (call) => this.context.endpoints.current.drain(request, call));
  }

  /** Origins and edges that the node in use knows. */
  async members(options: CallOptions = {}): Promise<readonly Member[]> {
    return inCall(this.context, options, (call) => this.context.endpoints.read((node) => node.members(call)));
  }

  /** Ends watches, cancels calls under way, closes connections. Idempotent. */
  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new Error('the client is closed'));
    this.context.endpoints.close();
  }
}
